import { it } from 'node:test';
import { checkBytes, checkCertificates, checkStructures } from '../../fuzz/trust-inputs.ts';

it('no structure does more than be refused', () => checkStructures(500));
it('no bytes do more than be refused', () => checkBytes(500));
it('no certificate does more than be refused', () => checkCertificates(500));
