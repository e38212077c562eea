// An authority that is gone with all it had, replaced with real processes: the operator key and a fleet card are all
// that is left, and the machines run on.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Workspace, workspace } from './workspace.ts'

let w: Workspace
beforeEach(() => {
  w = workspace(27)
})
afterEach(() => w.close())

const archives = async () =>
  (JSON.parse((await w.ppn('get', 'archives', '-A', '-o', 'json')).out) as { items: { status: object }[] }).items.map(
    ({ status }) => {
      const { nodeName, slot, fencingEpoch, restarts } = status as Record<string, unknown>
      return { nodeName, slot, fencingEpoch, restarts }
    },
  )

test('a fleet changes its keys, loses its authority, and obeys the one that the operator key names', async () => {
  const [sealed, card, document, words] = ['operator.ppn', 'fleet.json', 'replace.ppn', 'passphrase'].map((name) =>
    join(w.root, name),
  ) as [string, string, string, string]
  writeFileSync(words, 'for this test alone\n')
  const up = await w.up()
  const ok = async (...args: string[]) => {
    const done = await w.ppn(...args)
    expect(done.code, done.out + done.err).toBe(0)
    return done
  }
  const init = await ok('operator', 'init', '--out', sealed, '--state', w.state, '--passphrase-file', words)
  expect(init.out).toMatch(/^operator key SHA256:\S+\n/)
  expect(readdirSync(join(w.state, 'keys'))).not.toContain('operator.secret')
  const rotated = await ok('keys', 'rotate', '--all')
  expect(rotated.out).toMatch(/: done\n$/)
  await ok('operator', 'card', '--out', card)
  const ran = await archives()
  expect(ran.length).toBeGreaterThan(0)
  for (const name of readdirSync(join(w.state, 'keys')))
    if (name === 'authority')
      for (const secret of Object.entries(JSON.parse(readFileSync(join(w.state, 'keys', name), 'utf8'))))
        if (/Secret/.test(secret[0])) expect(readFileSync(card, 'utf8')).not.toContain(secret[1])

  const replace = ['operator', 'replace-authority', '--operator', sealed, '--card', card, '--state', w.state]
  const early = await w.ppn(...replace, '--out', document, '--passphrase-file', words)
  expect(early.code).not.toBe(0)
  expect(early.err).toContain('stop it first')
  up.kill('SIGTERM')
  await up.ended
  for (const name of readdirSync(w.state)) if (name !== 'simulated') rmSync(join(w.state, name), { recursive: true })
  writeFileSync(words, 'another passphrase\n')
  const wrong = await w.ppn(...replace, '--out', document, '--passphrase-file', words)
  expect(wrong.err).toContain('BackupUnreadable')
  writeFileSync(words, 'for this test alone\n')
  const done = await ok(...replace, '--out', document, '--passphrase-file', words)
  expect(done.out).toMatch(/^new authority SHA256:\S+, above term \d+\n/)
  expect(readFileSync(document, 'utf8')).toMatch(/^-----BEGIN PPN OPERATOR DOCUMENT-----\n/)

  await w.up()
  expect(await archives()).toEqual(ran)
  const shown = JSON.parse((await ok('version', '-o', 'json')).out)
  expect(JSON.stringify(shown)).not.toContain(JSON.parse(readFileSync(card, 'utf8')).signingKeys[0])
})
