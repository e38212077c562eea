// A node provisioned by hand, end to end: its keys are made on it, its identity is declared, its first bundle is
// carried over as a file, and it joins.
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startSimulation } from '../../agent/simulated/client.ts'
import { silentLogger } from '../../base/log.ts'
import { type Workspace, workspace } from './workspace.ts'

let w: Workspace
beforeEach(() => {
  w = workspace(20)
})
afterEach(() => w.close())

const NODE = `apiVersion: ppn.dev/v1alpha1
kind: Node
metadata:
  name: hand-1
spec:
  role: spoke
  site: onprem
  address: 10.90.20.77
`

test('keys are made on the node, a wrong fingerprint is refused, the right one lets it join', async () => {
  const up = await w.up()
  // Where a simulated machine's agent keeps what it keeps.
  const machines = join(w.root, 'by-hand')
  const stateDir = join(machines, 'nodes', 'hand-1', 'agent')

  const init = await w.ppn('agent', 'init', '--state-dir', stateDir)
  expect(init.code, init.err).toBe(0)
  expect(init.out).toMatch(
    /^identity:\n {2}wireguardPublicKey: \S{44}\n {2}commandPublicKey: \S{44}\n {2}signingPublicKey: \S{44}\n$/,
  )
  const again = await w.ppn('agent', 'init', '--state-dir', stateDir)
  expect(again.out).toBe(init.out)
  expect(again.err).toContain('has keys already')

  writeFileSync(join(w.fleet, 'nodes', 'hand-1.yaml'), `${NODE}${init.out.replace(/^/gm, '  ').trimEnd()}\n`)
  await up.until(/hand-1 {2}Ready=Unknown Unheard/)
  const bundle = await w.ppn('node', 'bundle', 'hand-1')
  expect(bundle.code, bundle.err).toBe(0)
  expect(bundle.out).toMatch(/^-----BEGIN PPN BUNDLE-----\n[\s\S]*-----END PPN BUNDLE-----\n$/)
  const [, fingerprint] = /authority fingerprint: (SHA256:\S+)/.exec(bundle.err) as unknown as [string, string]
  const file = join(w.root, 'hand-1.bundle')
  writeFileSync(file, bundle.out)

  const bare = await w.ppn('agent', 'import', file, '--state-dir', stateDir)
  expect(bare.code).toBe(2)
  expect(bare.err).toContain('AuthorityFingerprintNeeded')
  const other = `SHA256:${'A'.repeat(43)}=`
  const wrong = await w.ppn('agent', 'import', file, '--state-dir', stateDir, '--authority', other)
  expect(wrong.code).toBe(2)
  expect(wrong.err).toContain('AuthorityFingerprintDiffers')
  const right = await w.ppn('agent', 'import', file, '--state-dir', stateDir, '--authority', fingerprint)
  expect(right.code, right.err).toBe(0)
  expect(right.out).toMatch(/^bundle of term \d+, revision \d+ imported\n$/)

  // The node itself: its agent starts on what was imported, and finds the hub where the others find it.
  copyFileSync(join(w.state, 'simulated', 'world.json'), join(machines, 'world.json'))
  const stop = new AbortController()
  const simulation = await startSimulation({
    folder: machines,
    nodes: [{ name: 'hand-1', address: '10.90.20.77' }],
    log: silentLogger(),
    signal: stop.signal,
    telemetryPort: 8091,
  })
  try {
    await up.until(/hand-1 {2}Ready=True Converged/, { withinMs: 60_000 })
    const shown = JSON.parse((await w.ppn('get', 'node/hand-1', '-o', 'json')).out)
    expect(shown.status.conditions.find((c: { type: string }) => c.type === 'ConfigApplied')).toMatchObject({
      status: 'True',
    })
  } finally {
    await simulation.stop()
  }
})
