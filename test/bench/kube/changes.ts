// How objects are changed one by one.
import { pause } from '../wait.ts'
import type { Changed, Objects } from './objects.ts'

/** A modest rate: 25 changes a second. */
const EVERY_MS = 40
/** Coprime with any number of objects below it: successive changes are of archives far apart. */
const STRIDE = 7_919

const nth = (objects: Objects, i: number) => objects.change((i * STRIDE) % objects.count)

/** At an even pace, whether the last one has had its effect or not. */
export function changeSingly(objects: Objects, updates: number): Promise<Changed[]> {
  const change = async (i: number) => {
    await pause(i * EVERY_MS)
    return await nth(objects, i)
  }
  return Promise.all(Array.from({ length: updates }, (_, i) => change(i)))
}

export const changeAtOnce = (objects: Objects, burst: number): Promise<Changed[]> =>
  Promise.all(Array.from({ length: burst }, (_, i) => nth(objects, i)))
