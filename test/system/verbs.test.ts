// What a person types while a fleet runs, and after it was stopped; one fleet for the whole file, in this order.
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { processesOf, type Running } from './processes.ts'
import { type Workspace, workspace } from './workspace.ts'

let w: Workspace
let up: Running

beforeAll(async () => {
  w = workspace(2)
  up = await w.up()
})
afterAll(() => w.close())

/** The field, not the comment above it. */
const isolate = (on: boolean) => (text: string) => text.replace(/^ {2}isolated: \w+/m, `  isolated: ${on}`)
const lines = (text: string) => text.trimEnd().split('\n')

test('get prints a table, a wider one, names, JSON and YAML', async () => {
  const table = await w.ppn('get', 'nodes')
  expect(table.code).toBe(0)
  expect(lines(table.out)[0]).toMatch(/^NAME +ROLE +ADDRESS +READY/)
  expect(lines(table.out).map((line) => line.split(' ')[0])).toEqual(['NAME', 'laptop-1', 'office-1', 'relay'])
  const wide = await w.ppn('get', 'pnode', '-o', 'wide', '--no-headers')
  expect(lines(wide.out)).toHaveLength(3)
  expect(lines(wide.out)[0]!.length).toBeGreaterThan(lines(table.out)[1]!.length)
  expect((await w.ppn('get', 'nodes', '-o', 'name')).out).toBe(
    'node.ppn.dev/laptop-1\nnode.ppn.dev/office-1\nnode.ppn.dev/relay\n',
  )
  const json = JSON.parse((await w.ppn('get', 'node/relay', '-o', 'json')).out)
  expect(json).toMatchObject({ apiVersion: 'ppn.dev/v1alpha1', kind: 'Node', metadata: { name: 'relay' } })
  expect(json.status.conditions.find((c: { type: string }) => c.type === 'Ready')).toMatchObject({ status: 'True' })
  const yaml = parse((await w.ppn('get', 'archives', '-o', 'yaml')).out)
  expect(yaml).toMatchObject({ kind: 'List' })
  expect(yaml.items).toHaveLength(3)
  expect((await w.ppn('get', 'nodes', '-l', 'ppn.dev/example=office', '-o', 'name')).out).toBe('node.ppn.dev/relay\n')
})

test('what is not there is said, with an exit code; what is misspelt gets a suggestion', async () => {
  const missing = await w.ppn('get', 'node', 'nobody')
  expect(missing).toEqual({ code: 1, out: '', err: 'nodes.ppn.dev "nobody" not found\n' })
  const misspelt = await w.ppn('get', 'ndoes')
  expect(misspelt.code).toBe(64)
  expect(misspelt.err).toContain('did you mean nodes?')
  expect((await w.ppn('gett')).code).toBe(64)
  expect((await w.ppn('get', 'nodes', '--output', 'xml')).code).toBe(64)
})

test('a file edit arrives: diff says what is sent, watch and get show it, explain and events say why', async () => {
  const watch = w.startPpn('get', 'node', 'laptop-1', '--watch')
  await watch.until(/laptop-1/)
  const seen = watch.output().length
  w.edit('nodes/laptop-1.yaml', isolate(true))
  const told = up.output().length
  await up.until(/the fleet is Ready/, { from: told })
  await watch.until(/laptop-1.*\n/, { from: seen })
  watch.kill('SIGINT')
  expect(await watch.ended).toEqual({ code: 0, signal: null })
  const laptop = JSON.parse((await w.ppn('get', 'node/laptop-1', '-o', 'json')).out)
  expect(laptop.metadata.generation).toBe(2)
  expect(laptop.status.conditions.find((c: { type: string }) => c.type === 'Isolated')).toMatchObject({
    status: 'True',
  })
  const why = await w.ppn('explain', 'node/laptop-1')
  expect(why.out).toMatch(/Ready=True/)
  expect(why.out).toMatch(/planned send +laptop-1: ISOLATE/)
  const back = isolate(false)(w.read('nodes/laptop-1.yaml'))
  const dir = join(w.root, 'proposal')
  mkdirSync(dir)
  for (const file of [
    'mesh.yaml',
    'nodes/office-1.yaml',
    'nodes/relay.yaml',
    'pools/pools.yaml',
    'archives/archives.yaml',
  ])
    writeFileSync(join(dir, file.replace('/', '-')), w.read(file))
  writeFileSync(join(dir, 'laptop.yaml'), back)
  const diff = await w.ppn('diff', dir, '--state', w.state)
  expect(diff.code).toBe(1)
  expect(diff.err).toBe('')
  expect(diff.out).toBe(`node.ppn.dev/laptop-1 changed
    role: spoke
    site: leased
-   isolated: true
+   isolated: false

send     laptop-1: ISOLATE release
         03 02 00 00 00 <sequence: set at sending> <tag: set at sending>
`)
  w.edit('nodes/laptop-1.yaml', () => back)
  await up.until(/the fleet is Ready/, { from: up.output().length })
  expect(await w.ppn('diff', w.fleet)).toEqual({ code: 0, out: '', err: 'no differences\n' })
  const events = await w.ppn('events', 'node/laptop-1')
  expect(events.code).toBe(0)
})

test('describe says everything, also why', async () => {
  const said = await w.ppn('describe', 'archive', 'cluster-totebox-office-1')
  expect(said.code).toBe(0)
  for (const word of [
    'Namespace: default',
    'Generation: 1 (observed: 1)',
    'slot: 1',
    'Conditions:',
    'Running',
    'Events:',
  ])
    expect(said.out).toContain(word)
  expect((await w.ppn('describe', 'node')).out.match(/^Kind: Node$/gm)).toHaveLength(3)
})

test('a misspelt field is found with its place and a suggestion, and disturbs nothing', async () => {
  const good = w.read('nodes/office-1.yaml')
  const said = up.output().length
  w.edit('nodes/office-1.yaml', (text) => text.replace('site: onprem', 'siet: onprem'))
  await up.until(/office-1\.yaml:8:3: error: .*siet/, { from: said })
  const found = await w.ppn('validate', w.fleet)
  expect(found.code).toBe(1)
  expect(found.out).toMatch(/^office\/nodes\/office-1\.yaml:8:3: error: .*siet.*\[UnknownField\]\n {2}hint: .*site/m)
  const standing = await w.ppn('get', 'node/office-1')
  expect(standing.out).toMatch(/office-1.*True/)
  expect(standing.err).toMatch(/^office\/nodes\/office-1\.yaml:8:3: error: .*siet/m)
  const diff = await w.ppn('diff', w.fleet)
  expect(diff.code).toBe(2)
  expect(diff.err).toContain('office-1.yaml:8:3')
  w.edit('nodes/office-1.yaml', () => good)
  expect((await w.ppn('validate', w.fleet)).code).toBe(0)
})

test('a duplicate address: the holder keeps it, the newcomer is told', async () => {
  const said = up.output().length
  writeFileSync(
    join(w.fleet, 'nodes', 'late-1.yaml'),
    'apiVersion: ppn.dev/v1alpha1\nkind: Node\nmetadata: {name: late-1}\nspec: {role: spoke, site: leased, address: 10.90.2.10}\n',
  )
  await up.until(/late-1 {2}Ready=False AddressTaken/, { from: said })
  expect((await w.ppn('get', 'node/office-1', '-o', 'json')).out).toContain('"address": "10.90.2.10"')
  expect((await w.ppn('describe', 'node/late-1')).out).toMatch(/AddressTaken.*office-1/)
  expect((await w.ppn('events', 'node/office-1')).out).toMatch(/Warning.*late-1/)
  rmSync(join(w.fleet, 'nodes', 'late-1.yaml'))
  await up.until(/late-1 {2}gone/, { from: said })
})

test('an emptied kind is held until a person confirms', async () => {
  const said = up.output().length
  renameSync(join(w.fleet, 'pools'), join(w.root, 'pools'))
  await up.until(/held: /, { from: said })
  const held = await w.ppn('holds')
  expect(lines(held.out)).toHaveLength(3)
  expect(held.out).toMatch(/ResourcePool\/office-1 +LastOfKind.*ppn confirm resourcepool\/office-1/)
  expect((await w.ppn('confirm', 'node/relay')).code).toBe(1)
  const confirmed = await w.ppn('confirm', 'ppool/office-1', 'resourcepool/laptop-1')
  expect(confirmed.out).toBe('ResourcePool/office-1 confirmed\nResourcePool/laptop-1 confirmed\n')
  await up.until(/resourcepool\.ppn\.dev\/office-1 {2}gone/, { from: said })
  expect((await w.ppn('holds')).err).toBe('nothing is held\n')
  const back = up.output().length
  renameSync(join(w.root, 'pools'), join(w.fleet, 'pools'))
  await up.until(/resourcepool\.ppn\.dev\/laptop-1 {2}Ready=True/, { from: back })
})

test('the brake stops what goes out, and says so, until it is released', async () => {
  expect((await w.ppn('brake', 'on', '--reason', 'moving the rack')).code).toBe(0)
  expect(await w.ppn('brake', 'status')).toMatchObject({ code: 1, out: 'set: moving the rack\n' })
  const said = up.output().length
  w.edit('nodes/laptop-1.yaml', isolate(true))
  await up.until(/laptop-1 {2}Ready=\w+ Braked/, { from: said })
  const why = await w.ppn('explain', 'node/laptop-1')
  expect(why.out).toMatch(/ISOLATE 1 slot 0: Waiting \(Braked\)/)
  expect((await w.ppn('brake', 'off')).code).toBe(0)
  await up.until(/laptop-1 {2}Ready=True Isolated/, { from: said })
  w.edit('nodes/laptop-1.yaml', isolate(false))
  await up.until(/laptop-1 {2}Ready=True Converged/, { from: said })
  expect((await w.ppn('brake', 'sideways')).code).toBe(64)
})

test('apply and delete change files only with --write', async () => {
  const file = join(w.root, 'laptop.yaml')
  writeFileSync(file, w.read('nodes/laptop-1.yaml').replace('site: leased', 'site: onprem'))
  const refused = await w.ppn('apply', '-f', file)
  expect(refused.code).toBe(1)
  expect(refused.err).toContain('--write')
  expect(w.read('nodes/laptop-1.yaml')).toContain('site: leased')
  const written = await w.ppn('apply', '-f', file, '--write')
  expect(written.out).toBe('node.ppn.dev/laptop-1 configured (office/nodes/laptop-1.yaml)\n')
  expect(w.read('nodes/laptop-1.yaml')).toMatch(/^# A leased laptop[\s\S]*site: onprem/)
  await expect
    .poll(async () => (await w.ppn('get', 'node/laptop-1', '-o', 'yaml')).out, { timeout: 20_000 })
    .toMatch(/observedGeneration: 4[\s\S]*site: onprem|site: onprem[\s\S]*observedGeneration: \d/)
})

test('keys shows what nodes pin, and nothing secret', async () => {
  const keys = await w.ppn('keys')
  expect(keys.out).toMatch(/signing key +SHA256:/)
  expect(keys.err).toContain('move it off this machine')
  const json = JSON.parse((await w.ppn('keys', '-o', 'json')).out)
  expect(Object.keys(json).filter((name) => /secret/i.test(name))).toEqual(['operatorSecretPath', 'operatorSecretHere'])
})

test('version names both ends', async () => {
  expect((await w.ppn('version')).out).toMatch(
    /^ppn \d+\.\d+\.\d+ \(Node\.js v24.*\)\nauthority \d+\.\d+\.\d+ \(pid \d+, fleet /,
  )
  expect((await w.ppn('version', '--client')).out).not.toContain('authority')
})

test('bash completes verbs, kinds and flags', async () => {
  const script = join(w.root, 'completion.bash')
  writeFileSync(script, (await w.ppn('completion', 'bash')).out)
  const complete = (...words: string[]) =>
    spawnSync(
      'bash',
      [
        '-c',
        `source ${script}; COMP_WORDS=(ppn ${words.map((x) => `'${x}'`).join(' ')}); COMP_CWORD=${words.length}; _ppn; echo "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8', cwd: w.root },
    ).stdout.trim()
  expect(complete('exp')).toBe('explain')
  expect(complete('get', 'no')).toBe('nodes')
  expect(complete('get', 'par')).toBe('parc')
  expect(complete('up', '--sim')).toBe('--simulate')
  expect(complete('node', 'b')).toBe('bundle')
  expect(complete('validate', 'off')).toBe('office')
  expect((await w.ppn('completion', 'tcsh')).code).toBe(64)
})

test('/metrics, /healthz and /readyz answer on loopback', async () => {
  const [, base] = /metrics on (http:\/\/127\.0\.0\.1:\d+)\/metrics/.exec(up.output()) as unknown as [string, string]
  expect((await fetch(`${base}/healthz`)).status).toBe(200)
  expect((await fetch(`${base}/readyz`)).status).toBe(200)
  const metrics = await (await fetch(`${base}/metrics`)).text()
  expect(metrics).toMatch(/^controller_runtime_reconcile_total\{controller="node",result="success"\} [1-9]/m)
})

test('a second authority of the same folder is refused', async () => {
  const second = await w.ppn('up', w.fleet, '--metrics-port', '0', '--state', join(w.root, 'second'))
  expect(second.code).toBe(2)
  expect(second.err).toMatch(/FileLocked/)
})

test('SIGTERM ends the authority and every machine with it', async () => {
  up.kill('SIGTERM')
  expect(await up.ended).toEqual({ code: 0, signal: null })
  expect(processesOf(w.root)).toEqual([])
})

test('without an authority get answers from the state and says how old it is', async () => {
  const nodes = await w.ppn('get', 'nodes')
  expect(nodes.code).toBe(0)
  expect(nodes.err).toMatch(/^no authority runs; this is its state of \d+s ago\n$/)
  expect(lines(nodes.out)).toHaveLength(4)
  expect((await w.ppn('events')).code).toBe(69)
  expect((await w.ppn('get', 'nodes', '--state', join(w.root, 'nowhere'))).code).toBe(69)
  const diff = await w.ppn('diff', w.fleet)
  expect(diff.code).toBe(0)
  expect(diff.err).toMatch(/compared with its state of \d+s ago/)
})

test('once with a file that has an error ends with 1 and says why', async () => {
  const good = w.read('nodes/relay.yaml')
  w.edit('nodes/relay.yaml', (text) => text.replace('role: hub', 'role: king'))
  const once = await w.ppn('up', w.fleet, '--simulate', '--once', '--timeout', '8s', '--metrics-port', '0')
  expect(once.code).toBe(1)
  expect(once.out).toMatch(/not Ready within 8s:\n[\s\S]*relay\.yaml:9:9: error: /)
  w.edit('nodes/relay.yaml', () => good)
})
