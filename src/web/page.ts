/** The page at `/`. */
import type { ControlPlane } from '../controller/control-plane.ts';

export const pageHeaders: Readonly<Record<string, string>> = { 'content-type': 'text/html; charset=utf-8' };

export function page(_asked: { plane: ControlPlane; version: string; at: string; now: number }): string {
  return '';
}
