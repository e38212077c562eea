// A fleet's life as a person with kubectl sees it. The API server is real and its time too; authority and machines live
// by a clock of their own, so that an hour of telemetry passes in seconds.
import { spawn } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { API_VERSION, KINDS } from '../../api/meta.ts'
import { NAMES } from '../../api/names.ts'
import type { Ran } from '../../base/processes.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { auditOf } from './audit.ts'
import { freshCluster } from './fresh-cluster.ts'
import { type Collected, collectStates, judge } from './kstatus.ts'
import { type KubeFleet, kubeFleet, type Reign } from './reign.ts'

const FLEET = 'examples/office'
const ARCHIVE = 'cluster-totebox-office-1'
/** kubectl's own patience; a suite on a busy machine needs less. */
const WITHIN = '--timeout=120s'
/** Virtual time goes on in steps of this, and the API server answers in between. */
const STEP_MS = 2_500
const HOUR_MS = 3_600_000

const cluster = freshCluster('manifests/base')
const clock = virtualClock(Date.now())
let fleet: KubeFleet
let reign: Reign | undefined
let collected: Collected
/** A person with ppn-view and ppn-edit, and nothing else. */
let editor: string

const run = (args: readonly string[], input?: string) => cluster().kubectl(['--kubeconfig', editor, ...args], input)
const attempt = (args: readonly string[]): Promise<Ran> => cluster().tryKubectl(['--kubeconfig', editor, ...args])

/** Time goes on while `work` waits for something. */
async function meanwhile<T>(work: Promise<T>): Promise<T> {
  let done = false
  const settled = work.finally(() => {
    done = true
  })
  settled.catch(() => {})
  while (!done) {
    await clock.advance(1_000)
    await wait(20)
  }
  return settled
}
const waitReady = (...what: string[]) => meanwhile(run(['wait', '--for=condition=Ready', ...what, WITHIN]))
const everything = [NAMES.Mesh, NAMES.Node, NAMES.ResourcePool, NAMES.Archive].map(({ plural }) => `${plural}.ppn.dev`)

/** A bearer bound to these roles. */
async function person(name: string, roles: readonly string[]): Promise<string> {
  const { kubectl } = cluster()
  await kubectl(['create', 'serviceaccount', name, '-n', 'default'])
  for (const role of roles)
    await kubectl([
      ...['create', 'clusterrolebinding', `${name}-${role}`, `--clusterrole=${role}`],
      `--serviceaccount=default:${name}`,
    ])
  const token = (await kubectl(['create', 'token', name, '-n', 'default'])).trim()
  return cluster().writeKubeconfig(name, { token })
}

beforeAll(async () => {
  collected = await collectStates(cluster())
  editor = await person('editor', ['ppn-view', 'ppn-edit'])
  fleet = kubeFleet({ cluster: cluster(), clock, events: true })
})
afterAll(async () => {
  await reign?.end()
  await fleet?.stop()
  await collected?.stop()
})

test('applied before any authority looks, nothing is taken for done; with one it becomes Ready', async () => {
  const applied = await run(['apply', '-R', '-f', FLEET])
  expect(applied).toContain('node.ppn.dev/relay created')
  const early = await attempt(['wait', '--for=condition=Ready', 'nodes.ppn.dev/relay', '--timeout=1s'])
  expect(early.stderr).toContain('timed out waiting for the condition on nodes/relay')
  const token = (await cluster().kubectl(['create', 'token', 'ppn-authority', '-n', 'ppn-system'])).trim()
  const kubeconfig = await cluster().writeKubeconfig('authority', { token })
  reign = await meanwhile(fleet.reign({ kubeconfig }))
  for (const kind of everything) {
    expect(await waitReady(kind, '--all', '-A')).toMatch(/ condition met\n$/)
  }
})

test('applied again, or asked for a difference, everything is as it was declared', async () => {
  expect(await attempt(['diff', '-R', '-f', FLEET])).toEqual({ exitCode: 0, stdout: '', stderr: '' })
  const again = await run(['apply', '-R', '-f', FLEET])
  expect(
    again
      .trim()
      .split('\n')
      .filter((line) => !line.endsWith(' unchanged')),
  ).toEqual([])
})

test('get in every form, by every name', async () => {
  for (const kind of KINDS.filter((kind) => kind !== 'Pairing')) {
    const { plural, singular, shortNames } = NAMES[kind]
    const names = await run(['get', `${plural}.ppn.dev`, '-A', '-o', 'name'])
    expect(names, kind).toMatch(new RegExp(`^(${singular}\\.ppn\\.dev/[-a-z0-9]+\n)+$`))
    for (const called of [
      `${singular}.ppn.dev`,
      `${plural}.${API_VERSION.split('/').reverse().join('.')}`,
      ...shortNames,
    ])
      expect(await run(['get', called, '-A', '-o', 'name']), called).toBe(names)
  }
  const table = await run(['get', 'pnode'])
  expect(table).toMatch(/^NAME +ROLE +ADDRESS +READY +REASON +AGE\n/)
  expect(table).toMatch(/\nrelay +hub +10\.8\.0\.1 +True +\w+ +\d+s/)
  const wide = await run(['get', 'pnode', '-o', 'wide', '--show-labels'])
  expect(wide).toMatch(/SITE +ENDPOINT +REVISION +VERSION +LAST-HEARD +MESSAGE +LABELS\n/)
  expect(wide).toMatch(/relay\.office\.example:51820 .* ppn\.dev\/example=office\n/)
  expect(await run(['get', 'pnode', '-l', 'ppn.dev/example=office', '-o', 'name'])).toBe('node.ppn.dev/relay\n')
  expect(await run(['get', 'pnode', '--field-selector', 'metadata.name=office-1', '-o', 'name'])).toBe(
    'node.ppn.dev/office-1\n',
  )
  expect(await run(['get', 'parc', '-o', 'jsonpath={.items[*].status.nodeName}'])).toBe('office-1 office-1 laptop-1')
  expect(await run(['get', 'parc', ARCHIVE, '-o', 'custom-columns=SLOT:.status.slot,EPOCH:.status.fencingEpoch'])).toBe(
    'SLOT   EPOCH\n1      1\n',
  )
  expect(await run(['get', 'pnode', '--sort-by=.status.address', '-o', 'name'])).toMatch(
    /relay\n.*office-1\n.*laptop-1\n/,
  )
  const asJson = JSON.parse(await run(['get', 'parc', ARCHIVE, '-o', 'json']))
  expect(parse(await run(['get', 'parc', ARCHIVE, '-o', 'yaml']))).toEqual(asJson)
  const all = await run(['get', 'meshes,nodes.ppn.dev,ppool,archives', '-A'])
  const category = await cluster().kubectl(['get', 'ppn', '-A', '-o', 'name'])
  expect(category.trim().split('\n').sort()).toEqual(
    [...all.matchAll(/(\w+\.ppn\.dev\/\S+)/g)].map(([, name]) => name).sort(),
  )
})

test('names of the core stay the core’s', async () => {
  const { tryKubectl } = cluster()
  for (const [called, path] of Object.entries({
    ...{ no: 'nodes', node: 'nodes', nodes: 'nodes' },
    ...{ po: 'pods', pods: 'pods', ev: 'events', events: 'events' },
  })) {
    const { stderr } = await tryKubectl(['get', called, '-v=6'])
    expect(stderr, called).toMatch(new RegExp(`/api/v1/(namespaces/default/)?${path}\\?`))
    expect(stderr, called).not.toContain('/apis/ppn.dev/v1alpha1/')
  }
})

test('a watch tells what changes, as it changes', async () => {
  const child = spawn(inject('kubePrograms').kubectl, [
    ...['--kubeconfig', editor, 'get', 'parc', ARCHIVE, '--watch', '--no-headers'],
    ...['-o', 'custom-columns=W:.metadata.labels.watched'],
  ])
  let said = ''
  child.stdout.on('data', (part) => {
    said += part
  })
  while (said === '') await wait(20)
  await run(['label', 'parc', ARCHIVE, 'watched=yes'])
  while (!said.includes('yes')) await wait(20)
  await run(['label', 'parc', ARCHIVE, 'watched-'])
  while (!/yes.*<none>/s.test(said)) await wait(20)
  child.kill()
})

test('describe shows conditions and what happened', async () => {
  const told = await cluster().kubectl(['describe', 'parc', ARCHIVE])
  expect(told).toMatch(/Type: +Ready/)
  expect(told).toMatch(/Observed Generation: +1\n/)
  expect(told).toMatch(/Events:\n +Type +Reason +Age +From +Message\n/)
  expect(told).toMatch(/Normal +Running +\S+ +ppn\.dev\/authority +running as declared/)
  // Of a cluster-scoped object they are in the namespace default.
  expect(await cluster().kubectl(['events', '--for', 'nodes.ppn.dev/relay', '-n', 'default'])).toContain('Node/relay')
})

interface Schema {
  description?: string
  properties?: Record<string, Schema>
  items?: Schema
}

test('explain has a sentence for every field', async () => {
  const { components } = JSON.parse(await run(['get', '--raw', `/openapi/v3/apis/${API_VERSION}`])) as {
    components: { schemas: Record<string, Schema> }
  }
  const bare: string[] = []
  const look = (path: string, { description, properties = {}, items }: Schema) => {
    if (!/(\[\]|\.apiVersion|\.kind|\.metadata)$/.test(path) && !/[a-z]{2}.*\.$/s.test(description ?? ''))
      bare.push(path)
    for (const [name, child] of Object.entries(properties)) look(`${path}.${name}`, child)
    if (items) look(`${path}[]`, items)
  }
  for (const kind of KINDS) {
    const schema = components.schemas[`dev.ppn.v1alpha1.${kind}`] as Schema
    look(kind, schema)
    const told = await run(['explain', NAMES[kind].plural, `--api-version=${API_VERSION}`, '--recursive'])
    const fields = [schema.properties?.spec, schema.properties?.status].flatMap((part) =>
      Object.keys(part?.properties ?? {}),
    )
    expect(
      fields.filter((field) => !told.includes(`\n    ${field}\t<`)),
      kind,
    ).toEqual([])
  }
  expect(bare).toEqual([])
  const floor = await run(['explain', 'archives.spec.memory.floor', `--api-version=${API_VERSION}`])
  expect(floor).toMatch(/FIELD: floor <string>\n+DESCRIPTION:\n +Memory that is never taken away\./)
})

test('patch, edit, annotate; what makes no sense is refused in words', async () => {
  await run(['patch', 'pnode', 'laptop-1', '--type=merge', '-p', '{"spec":{"isolated":true}}'])
  await meanwhile(run(['wait', '--for=condition=Isolated', 'pnode/laptop-1', WITHIN]))
  await waitReady('pnode/laptop-1')
  await run([
    'patch',
    'pnode',
    'laptop-1',
    '--type=json',
    '-p',
    '[{"op":"replace","path":"/spec/isolated","value":false}]',
  ])
  await meanwhile(run(['wait', '--for=condition=Isolated=False', 'pnode/laptop-1', WITHIN]))

  const script = join(dirname(editor), 'edit.sh')
  await writeFile(script, '#!/bin/sh\nsed -i "s/weight: 300/weight: 250/" "$1"\n')
  await chmod(script, 0o755)
  const edited = await editing(script, ['edit', 'parc', ARCHIVE])
  expect(edited).toContain(`archive.ppn.dev/${ARCHIVE} edited`)
  await meanwhile(run(['wait', '--for=jsonpath={.status.weight}=250', 'parc', ARCHIVE, WITHIN]))

  await run(['annotate', 'parc', ARCHIVE, 'ppn.dev/paused=looking'])
  await meanwhile(
    run(['wait', '--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=Paused', 'parc', ARCHIVE, WITHIN]),
  )
  await run(['annotate', 'parc', ARCHIVE, 'ppn.dev/paused-'])
  await waitReady('parc', ARCHIVE)

  const refusals: [string[], RegExp][] = [
    [['patch', 'parc', ARCHIVE, '--type=merge', '-p', '{"spec":{"runState":"Runing"}}'], /Unsupported value: "Runing"/],
    [['patch', 'parc', ARCHIVE, '--type=merge', '-p', '{"spec":{"image":{"format":"raw"}}}'], /image is immutable/],
    [
      ['patch', 'pnode', 'relay', '--subresource=status', '--type=merge', '-p', '{"status":{}}'],
      /cannot get resource "nodes\/status"/,
    ],
  ]
  for (const [args, why] of refusals) {
    const { exitCode, stdout, stderr } = await attempt(args)
    expect(exitCode, args.join(' ')).not.toBe(0)
    expect(stdout + stderr).toMatch(why)
  }
  const scaled = await cluster().tryKubectl(['scale', 'parc', ARCHIVE, '--replicas=2'])
  expect(scaled.stderr).toContain('(NotFound)')
  // A patch is what its author says it is: the server drops what it does not know, and warns.
  const misspelt = '{"spec":{"memory":{"flor":"1Gi"}}}'
  const { stderr } = await attempt(['patch', 'parc', ARCHIVE, '--type=merge', '-p', misspelt])
  expect(stderr).toContain('unknown field "spec.memory.flor"')
  // As it was declared.
  await run(['apply', '-R', '-f', FLEET])
  await waitReady('parc', '--all')
  expect((await attempt(['diff', '-R', '-f', FLEET])).stdout).toBe('')
})

/** kubectl with an editor of ours. */
function editing(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(inject('kubePrograms').kubectl, ['--kubeconfig', editor, ...args], {
      env: { ...process.env, KUBE_EDITOR: program },
    })
    const said: string[] = []
    child.stdout.on('data', (part) => void said.push(String(part)))
    child.stderr.on('data', (part) => void said.push(String(part)))
    child.on('close', () => resolve(said.join('')))
  })
}

test('server-side apply: two managers, one field; the status is in nobody’s way', async () => {
  const [declared] = parseAllDocuments(await readFile(`${FLEET}/archives/archives.yaml`, 'utf8')).map((doc) =>
    doc.toJS(),
  )
  const weight = (value: number) => JSON.stringify({ ...declared, spec: { ...declared.spec, cpu: { weight: value } } })
  const apply = (manager: string, value: number, ...more: string[]) =>
    cluster().tryKubectl(
      ['--kubeconfig', editor, 'apply', '--server-side', `--field-manager=${manager}`, ...more, '-f', '-'],
      weight(value),
    )
  const first = await apply('gitops', 400)
  expect(first.exitCode).not.toBe(0)
  expect(first.stderr).toMatch(/conflict with "kubectl-client-side-apply".*\.spec\.cpu\.weight/s)
  expect((await apply('gitops', 400, '--force-conflicts')).exitCode).toBe(0)
  const second = await apply('somebody', 500)
  expect(second.stderr).toMatch(/conflict with "gitops".*\.spec\.cpu\.weight/s)
  await meanwhile(run(['wait', '--for=jsonpath={.status.weight}=400', 'parc', ARCHIVE, WITHIN]))

  // A condition of another controller stays beside ours, through a change that rewrites ours.
  const audited = {
    ...{ apiVersion: API_VERSION, kind: 'Archive', metadata: { name: ARCHIVE, namespace: 'default' } },
    status: {
      conditions: [
        {
          ...{ type: 'example.com/Audited', status: 'True', reason: 'Looked', message: 'by the auditor' },
          ...{ observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:00Z' },
        },
      ],
    },
  }
  const asAuditor = ['apply', '--server-side', '--subresource=status', '--field-manager=auditor', '-f', '-']
  await cluster().kubectl(asAuditor, JSON.stringify(audited))
  expect((await apply('gitops', 300)).stderr).toBe('')
  await meanwhile(run(['wait', '--for=jsonpath={.status.weight}=300', 'parc', ARCHIVE, WITHIN]))
  await waitReady('parc', ARCHIVE)
  const { metadata, status } = JSON.parse(await run(['get', 'parc', ARCHIVE, '-o', 'json', '--show-managed-fields']))
  expect(status.conditions.map(({ type }: { type: string }) => type)).toContain('example.com/Audited')
  const managers = metadata.managedFields.map((field: { manager: string; subresource?: string }) =>
    [field.manager, field.subresource].filter(Boolean).join(' '),
  )
  expect(managers).toContain('ppn-authority status')
  await run(['apply', '-R', '-f', FLEET])
  expect((await attempt(['diff', '-R', '-f', FLEET])).stdout).toBe('')
})

test('a Pairing: for those alone who may see codes; decided once', async () => {
  expect((await attempt(['get', 'ppair'])).stderr).toContain('cannot list resource "pairings"')
  const approver = await person('approver', ['ppn-pairing-approver'])
  const by = (args: readonly string[], input?: string) =>
    cluster().tryKubectl(['--kubeconfig', approver, ...args], input)
  const decide = (decision: string) =>
    by(['patch', 'ppair', 'edge-2', '--type=merge', '-p', `{"spec":{"decision":"${decision}"}}`])
  const spec = { nodeName: 'edge-2', rendezvous: 'K7QM', code: 'ABCD-EFGH' }
  const object = { apiVersion: API_VERSION, kind: 'Pairing', metadata: { name: 'edge-2' }, spec }
  expect((await by(['create', '-f', '-'], JSON.stringify(object))).stderr).toBe('')
  const phase = (is: string) => meanwhile(by(['wait', `--for=jsonpath={.status.phase}=${is}`, 'ppair/edge-2', WITHIN]))
  expect((await phase('Pending')).stderr).toBe('')
  expect((await by(['get', 'ppair'])).stdout).toMatch(/^NAME +NODE +PHASE +AGE +REASON\nedge-2 +edge-2 +Pending /)
  expect((await decide('Deny')).stderr).toBe('')
  expect((await phase('Denied')).stderr).toBe('')
  expect((await decide('Approve')).stderr).toContain('decision is set once')
  expect((await by(['delete', 'ppair', 'edge-2', '--wait=false'])).exitCode).toBe(0)
  expect((await meanwhile(by(['wait', '--for=delete', 'ppair/edge-2', WITHIN]))).exitCode).toBe(0)
})

const tally = (lines: readonly { verb: string; resource: string }[]) => {
  const counts: Record<string, number> = {}
  for (const { verb, resource } of lines) counts[`${verb} ${resource}`] = (counts[`${verb} ${resource}`] ?? 0) + 1
  return counts
}

test('an hour of telemetry later: no difference, and nothing is written', async () => {
  const writes = async () =>
    (await auditOf(cluster().auditLog)).filter(
      ({ verb, resource, status }) =>
        resource.includes('ppn.dev') && ['create', 'update', 'patch', 'delete'].includes(verb) && status < 300,
    )
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += STEP_MS) {
      await clock.advance(STEP_MS)
      await wait(1)
    }
  }
  // What the changes before brought about is written by then.
  await meanwhile(wait(2_000))
  await pass(5 * 60_000)
  const before = (await writes()).length
  const since = fleet.since()
  await pass(HOUR_MS)
  expect((await attempt(['diff', '-R', '-f', FLEET])).stdout).toBe('')
  for (const kind of everything) await run(['wait', '--for=condition=Ready', kind, '--all', '-A', '--timeout=0s'])
  const during = (await writes()).slice(before)
  // That a node was heard is written every two to four hours.
  expect(tally(during)).toEqual({})
  expect(since.commands()).toEqual([])
  expect(since.bundles()).toEqual([])
})

test('delete asks for a confirmation, waits for the machine, and Orphan touches none', async () => {
  const refused = await attempt(['delete', 'parc', ARCHIVE])
  expect(refused.stderr).toContain(`kubectl annotate archives.ppn.dev/${ARCHIVE} ppn.dev/confirm-delete=${ARCHIVE}`)
  await run(['annotate', `archives.ppn.dev/${ARCHIVE}`, `ppn.dev/confirm-delete=${ARCHIVE}`])
  expect(await run(['get', 'parc', ARCHIVE, '-o', 'jsonpath={.metadata.finalizers}'])).toBe('["ppn.dev/teardown"]')
  await run(['delete', 'parc', ARCHIVE, '--wait=false'])
  await meanwhile(run(['wait', '--for=delete', `parc/${ARCHIVE}`, WITHIN]))

  // A node with an archive on it stays, and says what it waits for.
  await run(['annotate', 'pnode/laptop-1', 'ppn.dev/confirm-delete=laptop-1'])
  await run(['delete', 'pnode', 'laptop-1', '--wait=false'])
  const reason = '--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=ArchivesPresent'
  await meanwhile(run(['wait', reason, 'pnode/laptop-1', WITHIN]))
  expect(await run(['get', 'pnode', 'laptop-1', '-o', 'wide'])).toContain('gateway-orchestration-travel-1')
  const since = fleet.since()
  const gone = 'gateway-orchestration-travel-1'
  await run(['annotate', 'parc', gone, 'ppn.dev/deletion=Orphan', `ppn.dev/confirm-delete=${gone}`])
  await run(['delete', 'parc', gone, '--wait=false'])
  await meanwhile(run(['wait', '--for=delete', `parc/${gone}`, WITHIN]))
  expect(since.commands().filter(({ op }) => op === 'POWER')).toEqual([])
})

test('kstatus says the same as our conditions of every state that any object was in', async () => {
  await collected.stop()
  const { disagreements, verdicts } = await judge(collected.states)
  expect(disagreements).toEqual([])
  expect(Object.keys(verdicts).sort()).toEqual(['Current', 'Failed', 'InProgress', 'Terminating'])
  // A life begins as InProgress: what was applied is never Current before it was looked at.
  const first = new Map(collected.states.toReversed().map((state) => [state.metadata.uid, state]))
  const begun = await judge([...first.values()])
  expect(Object.keys(begun.verdicts)).toEqual(['InProgress'])
})
