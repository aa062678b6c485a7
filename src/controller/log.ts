/** What the controller needs of a logger: fields first, then a constant sentence. Pino's own shape. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
