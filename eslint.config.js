import js from '@eslint/js';
import stylistic from '@stylistic/eslint-plugin';
import prettier from 'eslint-config-prettier/flat';
import vue from 'eslint-plugin-vue';
import ts from 'typescript-eslint';

/** Of code, comments and texts, in characters. */
const WIDTH = { code: 119, ignoreUrls: true };
/** Functions of node:test whose promises the runner itself waits for. */
const TEST_FUNCTIONS = { from: 'package', name: ['test', 'describe', 'it', 'suite'], package: 'node:test' };

export default ts.config(
  { ignores: ['**/node_modules', '**/dist', '**/.test-build', '.cache', 'data', 'ui/src/api/generated'] },
  js.configs.recommended,
  ...ts.configs.recommendedTypeChecked,
  ...vue.configs['flat/recommended'],
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.vue'],
      },
    },
  },
  {
    rules: {
      'vue/require-default-prop': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [TEST_FUNCTIONS] }],
    },
  },
  { files: ['**/*.vue'], languageOptions: { parserOptions: { parser: ts.parser } }, rules: { 'no-undef': 'off' } },
  { files: ['**/*.ts'], rules: { 'no-undef': 'off' } },
  { files: ['**/*.js'], ...ts.configs.disableTypeChecked },
  {
    files: ['**/*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', fetch: 'readonly', URL: 'readonly' } },
  },
  // Prettier formats; these two rules cover what it leaves alone: comments, texts and the length of files.
  prettier,
  {
    plugins: { '@stylistic': stylistic },
    rules: {
      '@stylistic/max-len': ['error', WIDTH],
      'max-lines': ['error', 300],
    },
  },
  // The error of a clean-up in `finally` would replace the first one, and hide it from clients and the log.
  {
    files: ['api/src/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            "TryStatement > BlockStatement.finalizer AwaitExpression:not([argument.callee.property.name='catch'])" +
            ":not([argument.type='ChainExpression'])",
          message: 'A clean-up that fails replaces the first error: use withCleanUp, or catch its error',
        },
      ],
    },
  },
  // A row of a table is one line, however long: its columns are what one reads.
  {
    files: ['**/test/**/*.ts'],
    rules: { '@stylistic/max-len': ['error', { ...WIDTH, ignorePattern: String.raw` \| .* \| ` }] },
  },
  { files: ['ui/src/i18n/messages/**/*.ts'], rules: { 'max-lines': 'off' } },
);
