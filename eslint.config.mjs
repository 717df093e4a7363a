// Only the rules that need types: Biome does everything else, and is blind to promises that other modules return.
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// The test runner awaits what is registered with it.
const registrations = { from: 'package', package: 'node:test', name: ['describe', 'it', 'test'] };

export default defineConfig({
  files: ['**/*.ts'],
  linterOptions: { reportUnusedDisableDirectives: 'error' },
  languageOptions: {
    parser: tseslint.parser,
    parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
  },
  plugins: { '@typescript-eslint': tseslint.plugin },
  rules: {
    '@typescript-eslint/no-floating-promises': [
      'error',
      { allowForKnownSafeCalls: [registrations] },
    ],
    '@typescript-eslint/no-misused-promises': 'error',
    // What was caught may be thrown again later, whatever it is.
    '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
    '@typescript-eslint/return-await': ['error', 'always'],
    '@typescript-eslint/switch-exhaustiveness-check': [
      'error',
      { considerDefaultExhaustiveForUnions: true },
    ],
  },
});
