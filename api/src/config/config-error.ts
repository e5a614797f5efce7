/** An unusable setting. The message names the variable, its value and the values it accepts. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
