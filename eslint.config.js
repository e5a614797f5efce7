import js from '@eslint/js';
import stylistic from '@stylistic/eslint-plugin';
import vue from 'eslint-plugin-vue';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['**/node_modules', '**/dist', '**/.test-build', '.cache', 'data', 'ui/src/api/generated'] },
  js.configs.recommended,
  ...ts.configs.recommendedTypeChecked,
  ...vue.configs['flat/recommended'],
  stylistic.configs.customize({ semi: true, arrowParens: true, braceStyle: '1tbs' }),
  { languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js'] }, tsconfigRootDir: import.meta.dirname, extraFileExtensions: ['.vue'] } } },
  { files: ['**/*.vue'], languageOptions: { parserOptions: { parser: ts.parser } }, rules: { 'no-undef': 'off' } },
  { rules: { 'vue/max-attributes-per-line': 'off', 'vue/require-default-prop': 'off', '@stylistic/max-statements-per-line': 'off', '@typescript-eslint/require-await': 'off', '@typescript-eslint/unbound-method': 'off', '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [{ from: 'package', name: ['test', 'describe', 'it', 'suite'], package: 'node:test' }] }] } },
  { files: ['**/*.ts'], rules: { 'no-undef': 'off' } },
  { files: ['**/*.js'], ...ts.configs.disableTypeChecked },
  { files: ['**/*.js'], languageOptions: { globals: { process: 'readonly', console: 'readonly', fetch: 'readonly', URL: 'readonly' } } },
);
