/** All planted defects. */
import type { Plant } from './planted.ts';
import { deathPlants } from './plants-deaths.ts';
import { lineagePlants } from './plants-lineage.ts';
import { movePlants } from './plants-moves.ts';
import { writingPlants } from './plants-writing.ts';

export const plants: readonly Plant[] = [...deathPlants, ...lineagePlants, ...writingPlants, ...movePlants];
