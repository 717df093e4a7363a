/** The member of the JSON Schema that carries what the texts for people call the kind of value. */
export const TYPE_MEMBER = 'x-type';

/** The member that marks the name of a file, with its `FileKind`. */
export const FILE_MEMBER = 'x-file';

/** The member that carries an example; in the JSON Schema it becomes `examples`. */
export const EXAMPLE_MEMBER = 'x-example';

/** The member that carries what is said of values that a later version will know, by value. */
export const NOT_YET_MEMBER = 'x-not-yet';

/** What a file named in the configuration has to hold. */
export type FileKind =
  | 'certificates'
  | 'private-key'
  | 'password'
  | 'token'
  | 'docker-config'
  | 'tuf-root'
  | 'htpasswd'
  | 'key-set';
