/** Stands in place of a GUN for what all repositories of a trust source share; no repository can be called so. */
export const SHARED_GUN = '*';
