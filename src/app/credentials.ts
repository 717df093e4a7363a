import type { Clock } from '../base/clock.ts';
import type { Credentials as ConfiguredCredentials } from '../config/connection.ts';
import { dockerServerAddress } from '../config/docker-config.ts';
import {
  accessTokenCredentials,
  type Credentials,
  passwordCredentials,
  refreshTokenCredentials,
} from '../upstream/credentials.ts';
import { DockerConfigCredentials } from '../upstream/docker-config-credentials.ts';
import { HelperCredentials } from '../upstream/helper-credentials.ts';

/** How a configured login for the server at `url` is made. */
export function credentialsOf(
  configured: ConfiguredCredentials,
  url: string,
  clock: Clock,
): Credentials {
  const server = dockerServerAddress(new URL(url));
  switch (configured.kind) {
    case 'password':
      return passwordCredentials(configured.username, configured.password);
    case 'access-token':
      return accessTokenCredentials(configured.token);
    case 'refresh-token':
      return refreshTokenCredentials(configured.token);
    case 'docker-config': {
      const environment = configured.helperEnvironment();
      return new DockerConfigCredentials(configured.login, { server, environment, clock });
    }
    case 'helper': {
      const { helper, helperEnvironment } = configured;
      const environment = helperEnvironment();
      return new HelperCredentials({ helper, server, environment, clock });
    }
  }
}
