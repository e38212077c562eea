// The scene as a picture: what the guests have, and what is free on the host.
import { AUTO } from '../../system/memory/node.ts'
import { PHYSICAL_MIB, type Scene } from './scene.ts'

const WIDTH = 960
const LEFT = 64
const RIGHT = 936
const TOP = { y: 64, height: 220 }
const BOTTOM = { y: 348, height: 170 }
const HEIGHT = 586
const COLOURS = ['#1f5fa8', '#c2571a', '#3f8f4f']
const NAMES = ['guest with the load', 'neighbour', 'neighbour']

interface Panel {
  y: number
  height: number
}

/** `untilS`: the picture ends there; what follows is steady and has its figures. */
export function plot(scene: Scene, untilS: number): string {
  const samples = scene.samples.filter(({ at }) => at <= untilS)
  const x = (at: number) => LEFT + ((RIGHT - LEFT) * at) / untilS
  const scale = (panel: Panel, most: number) => (mib: number) => panel.y + panel.height * (1 - mib / most)
  const most = Math.max(...samples.flatMap(({ guests }) => guests.map((g) => g.actualMiB))) * 1.08
  const top = scale(TOP, most)
  const bottom = scale(BOTTOM, PHYSICAL_MIB)
  const line = (of: (sample: Scene['samples'][number]) => number, look: string) =>
    `<polyline fill="none" ${look} points="${samples.map((s) => `${x(s.at).toFixed(1)},${of(s).toFixed(1)}`).join(' ')}"/>`
  const text = (at: number, y: number, words: string, more = '') =>
    `<text x="${at.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${words}</text>`
  const grid = (of: (mib: number) => number, step: number, to: number) =>
    Array.from({ length: Math.floor(to / step) + 1 }, (_, i) => i * step).flatMap((mib) => [
      `<line x1="${LEFT}" x2="${RIGHT}" y1="${of(mib).toFixed(1)}" y2="${of(mib).toFixed(1)}" stroke="#e3e3e3"/>`,
      text(LEFT - 8, of(mib) + 4, String(mib), 'text-anchor="end"'),
    ])
  const watermark = (percent: number, words: string, colour: string) => {
    const y = bottom((PHYSICAL_MIB * percent) / 100)
    return [
      `<line x1="${LEFT}" x2="${RIGHT}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" stroke="${colour}" stroke-dasharray="5 4"/>`,
      text(RIGHT - 4, y - 4, words, `text-anchor="end" fill="${colour}"`),
    ]
  }
  const { lowWatermarkPercent, highWatermarkPercent, emergencyPercent } = AUTO.balloon
  const marks = scene.marks.filter(({ at }) => at < untilS)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">`,
    '<title>Memory of three guests under Auto, with a load that comes and goes</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 24, 'What the guests have, MiB', 'font-size="14" font-weight="bold"'),
    ...grid(top, 128, most),
    ...marks.flatMap(({ at, what }, i) => [
      `<line x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="${TOP.y}" y2="${BOTTOM.y + BOTTOM.height}" stroke="#bbb" stroke-dasharray="2 3"/>`,
      text(x(at) + 3, TOP.y - (i % 2 === 0 ? 20 : 6), what, 'font-size="11" fill="#555"'),
    ]),
    line((s) => top(s.loadMiB), 'stroke="#1f5fa8" stroke-width="1" stroke-dasharray="3 3"'),
    ...[2, 1, 0].map((i) => line((s) => top(s.guests[i]!.actualMiB), `stroke="${COLOURS[i]}" stroke-width="2"`)),
    ...NAMES.map((name, i) => text(LEFT + 190 + i * 150, 24, `&#9632; ${name}`, `fill="${COLOURS[i]}"`)),
    text(LEFT + 640, 24, '- - what its load holds', 'fill="#1f5fa8"'),
    text(LEFT, BOTTOM.y - 14, `Free on the host of ${PHYSICAL_MIB} MiB`, 'font-size="14" font-weight="bold"'),
    ...grid(bottom, 512, PHYSICAL_MIB),
    ...watermark(highWatermarkPercent, 'high watermark', '#6a8f3f'),
    ...watermark(lowWatermarkPercent, 'low watermark', '#b58900'),
    ...watermark(emergencyPercent, 'emergency', '#b03030'),
    line((s) => bottom(s.freeMiB), 'stroke="#444" stroke-width="1.5"'),
    ...Array.from({ length: Math.floor(untilS / 60) + 1 }, (_, minute) =>
      text(x(minute * 60), BOTTOM.y + BOTTOM.height + 18, `${minute} min`, 'text-anchor="middle"'),
    ),
    text(
      LEFT,
      HEIGHT - 12,
      'Real guests under QEMU and the agent’s own loop; the host’s size is declared. npm run bench:memory',
      'fill="#777" font-size="11"',
    ),
    '</svg>',
    '',
  ]
    .filter((part) => part !== '')
    .join('\n')
}
