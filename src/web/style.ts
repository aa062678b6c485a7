/** The page's whole style: no script, no font, no image comes with it. */
import { createHash } from 'node:crypto';

export const style = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f6f7f9, #14171b);
  --sheet: light-dark(#ffffff, #1c2026);
  --ink: light-dark(#1b1f24, #e4e8ed);
  --faint: light-dark(#5a6470, #9aa5b1);
  --line: light-dark(#dde1e6, #2e343c);
  --link: light-dark(#0b5cad, #79b8ff);
  --ok: light-dark(#116329, #57d077);
  --degraded: light-dark(#8a4b00, #f0b04a);
  --down: light-dark(#b3261e, #ff8a80);
}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--ground);
  color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif;
}
main { max-width: 50rem; margin: 0 auto; padding: 2rem 1rem 3rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2.25rem 0 .6rem; }
p { margin: .5rem 0; }
a { color: var(--link); }
.faint { color: var(--faint); }
code, pre { font: .9rem/1.5 ui-monospace, monospace; }
pre {
  margin: .5rem 0;
  padding: .7rem .9rem;
  background: var(--sheet);
  border: 1px solid var(--line);
  border-radius: .4rem;
  white-space: pre-wrap;
  overflow-wrap: anywhere;
}
ul { list-style: none; margin: 0; padding: 0; }
.clusters {
  background: var(--sheet);
  border: 1px solid var(--line);
  border-radius: .4rem;
}
.clusters > li { padding: .75rem .9rem; }
.clusters > li + li { border-top: 1px solid var(--line); }
.head { display: flex; flex-wrap: wrap; gap: .1rem .8rem; align-items: baseline; }
.name { font-weight: 600; overflow-wrap: anywhere; flex: 1 1 auto; }
.facts { font-size: .9rem; color: var(--faint); }
.state { font-weight: 600; }
.ok { color: var(--ok); }
.degraded, .warning { color: var(--degraded); }
.down, .error { color: var(--down); }
.problems { margin-top: .4rem; font-size: .92rem; }
.problems li { margin-top: .3rem; overflow-wrap: anywhere; }
.problems pre { margin: .3rem 0; padding: .4rem .6rem; }
`;

const hash = createHash('sha256').update(style).digest('base64');

/** Nothing may be loaded or run, nothing sent, and no other page may frame this one; this one style is let through. */
export const contentSecurityPolicy = `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
