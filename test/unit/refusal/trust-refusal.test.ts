import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { REASON_CODES, type ReasonCode } from '../../../src/base/reason-code.ts';
import { parseRegistryHost, parseRepositoryPath } from '../../../src/oci/names.ts';
import type { RefusalDescription } from '../../../src/refusal/describe-refusal.ts';
import { REASON_TABLE } from '../../../src/refusal/reason-table.ts';
import { describeTrustRefusal } from '../../../src/refusal/trust-refusal.ts';

function told(reason: ReasonCode, path = 'library/alpine', decision = 'd-1'): RefusalDescription {
  const { verdict } = REASON_TABLE[reason];
  const repository = { registry: parseRegistryHost('docker.io'), path: parseRepositoryPath(path) };
  const refusal = { verdict, reason, cause: 'a cause', facts: { role: 'targets/releases' } };
  return describeTrustRefusal(refusal, { repository, reference: '' }, { decision });
}

describe('a refusal for clients of Notary v1', () => {
  it('is 400 when proved bad, 404 when there is nothing, and what it is elsewhere when it could not be found out', () => {
    assert.equal(told('rollback').status, 400);
    assert.equal(told('timestamp_expired').status, 400);
    assert.equal(told('no_trust_data').status, 404);
    for (const reason of REASON_CODES) {
      const { status, verdict } = REASON_TABLE[reason];
      if (verdict === 'inconclusive') assert.equal(told(reason).status, status, reason);
      // A status that makes the client use what it has is for outages alone.
      else assert.ok([400, 404, 500].includes(told(reason).status), reason);
    }
  });

  it('is in the words that the client shows, and within what it reads, for every reason', () => {
    for (const reason of REASON_CODES) {
      const { body, headers } = told(reason, `team/${'a'.repeat(249)}`, 'd'.repeat(300));
      assert.ok(body.length <= 1024, `${reason}: ${body.length}`);
      assert.equal(headers['content-length'], String(body.length));
      const [error] = JSON.parse(body).errors;
      assert.equal(error.detail.Name, 'ErrValidation');
      assert.equal(error.detail.Error.Msg, error.message);
      assert.match(
        error.message,
        new RegExp(`^pinnace refused .*\\(reason ${reason}, decision d+[.]*\\)$`),
      );
      assert.equal(headers['x-pinnace-reason'], reason);
    }
    assert.equal(JSON.parse(told('no_trust_data').body).errors[0].code, 'METADATA_NOT_FOUND');
  });
});
