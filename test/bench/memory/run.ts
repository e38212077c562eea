// `npm run bench:memory [-- MINUTES]`: three real guests under Auto. Prints the figures, and draws
// docs/memory-auto.svg from what was measured. MINUTES of steady load: 10 by default; a quarter of an hour in all.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import installPackages from '../../system/packages.ts'
import { machine } from '../table.ts'
import { plot } from './plot.ts'
import { playScene } from './scene.ts'

const PICTURE = path.resolve(import.meta.dirname, '../../../docs/memory-auto.svg')
/** Of the steady minutes the picture shows so much. */
const STEADY_SHOWN_S = 60
const minutes = Number(process.argv[2] ?? 10)
if (!(minutes > 0)) {
  process.stderr.write('usage: bench:memory [MINUTES]\n')
  process.exit(64) // EX_USAGE of sysexits(3)
}
await installPackages()
const scene = await playScene((line) => process.stderr.write(`${line}\n`), minutes * 60_000)
const steady = scene.marks.find(({ what }) => what.startsWith('a step'))!
writeFileSync(PICTURE, plot(scene, steady.at + STEADY_SHOWN_S))
process.stdout.write(
  [
    '',
    machine(),
    '',
    '| what | measured | to reach |',
    '|---|---|---|',
    ...scene.figures.map((f) => `| ${f.what} | ${f.value} | ${f.toReach} |`),
    '',
  ].join('\n'),
)
process.exit(0)
