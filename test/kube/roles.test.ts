// manifests/base: who may do what, and what nobody deletes by accident.
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { API_VERSION, KINDS, type Kind } from '../../api/meta.ts'
import { NAMES } from '../../api/names.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import { connectKube } from '../../stores/kube/connect.ts'
import { kubeEvents } from '../../stores/kube/events.ts'
import { lead } from '../../stores/kube/lease.ts'
import { CODES_SECRET, pairingCodes } from '../../stores/kube/pairing-codes.ts'
import { kubeRecords } from '../../stores/kube/records.ts'
import { registryLines } from '../../stores/kube/registry-lines.ts'
import { createPath, objectPath } from '../../stores/kube/resources.ts'
import { openKubeStore } from '../../stores/kube/store.ts'
import { kubeWrites } from '../../stores/kube/writes.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { pairing } from '../conformance/store/documents.ts'
import { minimalObject } from '../objects/base.ts'
import { AUTHORITY, auditOf } from './audit.ts'
import { freshCluster } from './fresh-cluster.ts'
import { grantedTo } from './granted.ts'

const cluster = freshCluster('manifests/base')
const resourceOf = (kind: Kind) => `${NAMES[kind].plural}.ppn.dev`

/** Binds a role to a user of that name. */
const bind = (role: string) =>
  cluster().kubectl(['create', 'clusterrolebinding', `test-${role}`, `--clusterrole=${role}`, `--user=${role}`])
const can = async (user: string, verb: string, resource: string) => {
  const { stdout } = await cluster().tryKubectl(['auth', 'can-i', verb, resource, '--as', user, '-A'])
  return stdout.trim() === 'yes'
}

/** The server compiles a new policy in its own time. */
beforeAll(async () => {
  const probe = { ...minimalObject('Node'), metadata: { name: 'probe' } }
  await cluster().request('POST', createPath('Node'), probe)
  const path = `${objectPath('Node', probe.metadata)}?dryRun=All`
  while ((await cluster().request('DELETE', path)).status !== 403) await wait(200)
})

test('a viewer reads everything but pairings; an editor writes as well; an approver alone sees codes', async () => {
  for (const role of ['ppn-view', 'ppn-edit', 'ppn-pairing-approver']) await bind(role)
  const table: [string, string, Kind, boolean][] = [
    ['ppn-view', 'list', 'Node', true],
    ['ppn-view', 'list', 'Archive', true],
    ['ppn-view', 'get', 'Pairing', false],
    ['ppn-view', 'patch', 'Node', false],
    ['ppn-edit', 'patch', 'Node', true],
    ['ppn-edit', 'delete', 'Archive', true],
    ['ppn-edit', 'get', 'Pairing', false],
    ['ppn-pairing-approver', 'patch', 'Pairing', true],
    ['ppn-pairing-approver', 'patch', 'Node', false],
  ]
  for (const [user, verb, kind, allowed] of table)
    expect(await can(user, verb, resourceOf(kind)), `${user} ${verb} ${kind}`).toBe(allowed)
  for (const user of ['ppn-view', 'ppn-edit', 'ppn-pairing-approver'])
    expect(await can(user, 'get', 'records.internal.ppn.dev'), user).toBe(false)
})

test('a Mesh, Node or Archive is deleted only when it says so itself; the refusal gives the command', async () => {
  for (const kind of KINDS) {
    const { metadata, ...object } = minimalObject(kind)
    const name = kind === 'Archive' ? 'cluster-totebox-kept-1' : 'kept'
    const spec = kind === 'ResourcePool' ? { ...object.spec, nodeName: name } : object.spec
    const made = await cluster().request('POST', createPath(kind, metadata.namespace), {
      ...object,
      metadata: { ...metadata, name },
      spec,
    })
    expect(made.status, made.text).toBe(201)
    const within = metadata.namespace ? ['-n', metadata.namespace] : []
    const guarded = kind === 'Mesh' || kind === 'Node' || kind === 'Archive'
    const first = await cluster().tryKubectl(['delete', resourceOf(kind), name, ...within])
    expect(first.exitCode === 0, `${kind}: ${first.stderr}`).toBe(!guarded)
    if (!guarded) continue
    const command = `kubectl annotate ${resourceOf(kind)}/${name} ppn.dev/confirm-delete=${name}`
    expect(first.stderr).toContain(command)
    const all = await cluster().tryKubectl(['delete', resourceOf(kind), '--all', ...within])
    expect(all.exitCode).not.toBe(0)
    await cluster().kubectl([...command.split(' ').slice(1), ...within])
    await cluster().kubectl(['delete', resourceOf(kind), name, ...within])
  }
})

test('a confirmation with another name than the object’s confirms nothing', async () => {
  const node = minimalObject('Node')
  await cluster().request('POST', createPath('Node'), {
    ...node,
    metadata: { name: 'copied', annotations: { 'ppn.dev/confirm-delete': 'another' } },
  })
  expect((await cluster().request('DELETE', objectPath('Node', { name: 'copied' }))).status).toBe(403)
})

test('kubectl’s own short names stay what they were', async () => {
  for (const short of ['no', 'node', 'nodes']) {
    const { stderr } = await cluster().tryKubectl(['get', short, '-v=6'])
    expect(stderr, short).toMatch(/\/api\/v1\/nodes/)
    expect(stderr, short).not.toContain('ppn.dev/v1alpha1/nodes')
  }
  expect(await cluster().kubectl(['get', 'pnode', '-o', 'name'])).toContain('node.ppn.dev/copied')
  for (const kind of KINDS) {
    const { plural } = NAMES[kind]
    const told = await cluster().kubectl(['explain', plural, `--api-version=${API_VERSION}`, '--recursive'])
    expect(told, kind).toContain('spec\t<Object>')
    expect(told, kind).toContain('conditions\t<[]Object>')
  }
})

test('of all Secrets the authority reads the one with codes of pairings: not even its own keys', async () => {
  const allowed = async (verb: string, what: string) => {
    const { stdout } = await cluster().tryKubectl(['auth', 'can-i', verb, what, '--as', AUTHORITY, '-n', 'ppn-system'])
    return stdout.trim() === 'yes'
  }
  expect(await allowed('get', `secrets/${CODES_SECRET}`)).toBe(true)
  expect(await allowed('get', 'secrets/ppn-authority-keys')).toBe(false)
  expect(await allowed('list', 'secrets')).toBe(false)
})

test('the store and the election use exactly what the role of the authority grants', async () => {
  const token = (await cluster().kubectl(['create', 'token', 'ppn-authority', '-n', 'ppn-system'])).trim()
  const kubeconfig = await cluster().writeKubeconfig('authority', { token })
  const clock = systemClock()
  const connection = await connectKube({ kubeconfig, clock, userAgent: 'ppn-test' })
  const life = new AbortController()
  const shared = { api: connection, namespace: 'ppn-system', clock, random01: Math.random, log: silentLogger() }
  const leadership = await lead({ ...shared, name: 'ppn-authority', identity: randomUUID() }, life.signal)
  const store = await openKubeStore(shared, life.signal)
  try {
    for (const kind of KINDS) {
      const { metadata, ...object } = minimalObject(kind)
      const made = await cluster().request('POST', createPath(kind, metadata.namespace), { ...object, metadata })
      expect(made.status, made.text).toBe(201)
    }
    await store.start(life.signal)
    for (const object of KINDS.flatMap((kind) => store.list(kind))) {
      const { kind, metadata } = object
      const key = metadata.namespace ? `${kind}/${metadata.namespace}/${metadata.name}` : `${kind}/${metadata.name}`
      await store.addFinalizer(key, metadata.uid, 'ppn.dev/teardown')
      expect(store.getByKey(key)?.metadata.finalizers).toEqual(['ppn.dev/teardown'])
      await store.removeFinalizer(key, metadata.uid, 'ppn.dev/teardown')
      const status = { observedGeneration: 1, conditions: [], ...STATUS[kind] }
      await store.updateStatus(object as never, status as never)
      expect(store.getByKey(key)?.status).toEqual(status)
      // Seen before all that: it loses, looks, and is applied to what is there.
      const again = await kubeWrites(connection).status(kind, object.metadata, { ...status, observedGeneration: 2 })
      expect(again).toMatchObject({ status: { observedGeneration: 2 } })
    }
    // The second time of the same is a series, written five minutes later.
    const later = virtualClock(clock.now())
    const events = kubeEvents({ api: connection, clock: later, log: silentLogger(), instance: 'test' }, life.signal)
    for (const object of [...store.list('Node'), ...store.list('Archive')]) {
      const of = { kind: object.kind, ...object.metadata }
      for (let times = 0; times < 2; times++) events.record(of, 'Warning', 'Tested', 'for a test')
    }
    const said = async () => {
      const told = await cluster().kubectl(['get', 'events.events.k8s.io', '-A', '-o', 'json'])
      const { items } = JSON.parse(told) as { items: { regarding: { kind: string }; series?: { count: number } }[] }
      return items.map(({ regarding, series }) => `${regarding.kind} ${series?.count ?? 1}`).sort()
    }
    const times = (count: number) =>
      [...store.list('Archive'), ...store.list('Node')].map(({ kind }) => `${kind} ${count}`).sort()
    while (!isDeepStrictEqual(await said(), times(1))) await wait(50)
    // One after the other.
    for (await later.advance(5 * 60_000); !isDeepStrictEqual(await said(), times(2)); await later.advance(10_000))
      await wait(50)
    await store.create('Pairing', 'act', pairing('act').spec)
    await store.remove('Pairing/act')
    const first = await store.records.put('term', 1, 0)
    const second = await store.records.put('term', 2, first.version)
    // One who has not heard of the second write loses, and reads again.
    const behind = kubeRecords(connection, 'ppn-system')
    behind.observe({ key: 'term', value: '1', resourceVersion: String(first.version) })
    await expect(behind.put('term', 9, first.version)).rejects.toMatchObject({ code: 'Conflict' })
    expect(behind.get('term')).toEqual(second)
    await store.records.delete('term', second.version)
    await store.catchUp()
    const code = Buffer.from('A7K2-9QZX').toString('base64')
    const secret = { metadata: { name: CODES_SECRET }, data: { code } }
    await cluster().request('POST', '/api/v1/namespaces/ppn-system/secrets', secret)
    const codes = pairingCodes(connection, 'ppn-system')
    expect(await codes({ name: CODES_SECRET, key: 'code' })).toEqual({ code: 'A7K2-9QZX' })
    const lines = registryLines(connection, 'ppn-system')
    await lines.append(Buffer.from('one\n'))
    expect(Buffer.from(await registryLines(connection, 'ppn-system').read()).toString()).toBe('one\n')
    // One who has not read it loses, whoever it is: the name is taken.
    await expect(registryLines(connection, 'ppn-system').append(Buffer.from('other\n'))).rejects.toMatchObject({
      code: 'Conflict',
    })
    expect(leadership.holds()).toBe(true)
    await leadership.release()
  } finally {
    life.abort()
    await store.close()
    connection.close()
  }
  const used = (await auditOf(cluster().auditLog)).filter(({ user }) => user === AUTHORITY)
  expect(used.filter(({ status }) => status === 403)).toEqual([])
  const actions = new Set(used.map(({ verb, resource }) => `${verb} ${resource}`))
  const allowed = grantedTo('ppn-authority', await cluster().kubectl(['kustomize', 'manifests/base']))
  expect([...actions].filter((action) => !allowed.has(action))).toEqual([])
  expect([...allowed].filter((action) => !actions.has(action))).toEqual([])
})

/** What a status must hold besides. */
const STATUS: Readonly<Record<Kind, object>> = {
  Mesh: { nodes: 0, nodesReady: 0, term: 0, revision: 0 },
  Node: {},
  Pairing: { phase: 'Pending' },
  ResourcePool: {},
  Archive: { phase: 'Pending' },
}
