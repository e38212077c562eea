// `ppn migrate --to-cluster` and back, on a running fleet: real agents on simulated machines, the real API server.
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, expect, test } from 'vitest'
import type { AnyObject, PpnObject } from '../../api/v1alpha1/index.ts'
import { factsOnArrival, ofTheAuthority, TERM_LEAP } from '../../authority/migrate/arrival.ts'
import { markInFolder, refuseMoved } from '../../authority/migrate/mark.ts'
import { moveAuthority } from '../../authority/migrate/move.ts'
import type { Place } from '../../authority/migrate/place.ts'
import { uidsOnArrival } from '../../authority/migrate/uids.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { clusterPlace } from '../../cli/verbs/migrate-cluster.ts'
import { folderPlace } from '../../cli/verbs/migrate-folder.ts'
import { validateFolder } from '../../stores/files/validate.ts'
import type { KubeApi } from '../../stores/kube/api.ts'
import { connectKube } from '../../stores/kube/connect.ts'
import { objectPath, recordsPath } from '../../stores/kube/resources.ts'
import { openDatabase } from '../../stores/sqlite/open.ts'
import { sqlitePersistence } from '../../stores/sqlite/persistence.ts'
import { readState } from '../../stores/sqlite/read-state.ts'
import { freshCluster } from './fresh-cluster.ts'
import { listed } from './machines.ts'
import { lastingOf, type Reigning, ready, SECRET, twoHomes } from './migrate-fleet.ts'
import { NAMESPACE } from './reign.ts'

const cluster = freshCluster('manifests/base')
const home = twoHomes(cluster, 'examples/office')
afterEach(() => home.endAll())
afterAll(() => home.stop())

const { fleet, state } = home
const OURS = 'meshes.ppn.dev,nodes.ppn.dev,resourcepools.ppn.dev,archives.ppn.dev,pairings.ppn.dev'
const termOf = ({ authority }: Reigning) => authority.world.authority.term()

test('there, and back: the same fleet under a higher term, and nothing but PINGs', { timeout: 400_000 }, async () => {
  const first = await home.onFolder()
  await ready(first)
  const before = { lasting: lastingOf(first.authority), term: termOf(first) }
  const pairing = { nodeName: 'visitor', rendezvous: 'A2B3', code: 'ABCD-EFGH' }
  const asked = await first.authority.world.store.create('Pairing', 'visitor', pairing)
  await expect.poll(() => first.authority.world.store.records.get(`pairing/${asked.metadata.uid}`)).toBeDefined()
  await first.end()

  const look = await home.migrate('--to-cluster', '--dry-run')
  expect(look).toMatchObject({ code: 0, err: '' })
  expect(look.out).toContain('dry run: nothing was changed')
  expect((await cluster().kubectl(['get', OURS, '-A'])).trim()).toBe('')

  const since = home.since()
  expect(await home.migrate('--to-cluster')).toMatchObject({ code: 0, err: '' })
  await expect(home.onFolder()).rejects.toMatchObject({ code: 'AuthorityMoved' })

  const second = await home.onCluster()
  await ready(second)
  expect(lastingOf(second.authority)).toEqual(before.lasting)
  expect(termOf(second)).toBe(before.term + TERM_LEAP + 1)
  // The act went along, and what was known of it: its window began when it was first seen.
  const { uid } = second.authority.world.store.get('Pairing', 'visitor')?.metadata ?? {}
  expect(second.authority.world.store.records.get(`pairing/${uid}`)?.value).toMatchObject({
    startedMs: expect.any(Number),
  })
  expect(JSON.stringify(second.authority.world.store.records.list(''))).not.toContain(asked.metadata.uid)
  // One chain: the stream goes on after the folder's last line.
  await expect.poll(() => home.audit.length).toBeGreaterThan(0)
  const lines = readFileSync(join(state, 'audit.jsonl'), 'utf8').trimEnd().split('\n')
  const { n, hash } = JSON.parse(lines.at(-1) as string) as { n: number; hash: string }
  expect(JSON.parse(home.audit[0] as string)).toMatchObject({ n: n + 1, prev: hash })
  expect(existsSync(join(home.keys, 'operator.secret'))).toBe(false)
  await second.end()

  // Somebody starts a copy of the old state, without the mark: the nodes know better.
  const copy = { fleet: join(home.folder, 'old-fleet'), state: join(home.folder, 'old-state') }
  cpSync(fleet, copy.fleet, { recursive: true })
  cpSync(state, copy.state, { recursive: true })
  rmSync(join(copy.state, 'migration'))
  const old = await home.onFolder(copy, { machines: false })
  await expect.poll(() => old.authority.serving.downlink()?.reign.phase(), { timeout: 30_000 }).toBe('Superseded')
  await old.end()
  expect(since.ops()).toEqual(['PING'])

  expect(await home.migrate('--to-folder')).toMatchObject({ code: 0, err: '' })
  await expect(home.onCluster()).rejects.toMatchObject({ code: 'AuthorityMoved' })
  const third = await home.onFolder()
  await ready(third)
  expect(lastingOf(third.authority)).toEqual(before.lasting)
  expect(termOf(third)).toBe(before.term + 2 * (TERM_LEAP + 1))
  await wait(2_000)
  expect(since.ops()).toEqual(['PING'])
  expect(since.bundles()).toBe(0)
  expect(since.driverCalls()).toEqual([])
  await third.end()
  // Nobody on the cluster would take our finalizers away any more.
  expect(await cluster().kubectl(['get', OURS, '-A', '-o', 'yaml'])).not.toContain('ppn.dev/teardown')
  expect(
    await cluster().kubectl([
      '-n',
      NAMESPACE,
      'get',
      'lease',
      'ppn-authority',
      '-o',
      'jsonpath={.spec.holderIdentity}',
    ]),
  ).toBe('')
})

test('an etcd of an hour ago: found out, then told, it goes on by PINGs alone with all that was given since', {
  timeout: 400_000,
}, async () => {
  const folder = await home.onFolder()
  await ready(folder)
  await folder.end()
  expect(await home.migrate('--to-cluster')).toMatchObject({ code: 0, err: '' })
  const first = await home.onCluster()
  await ready(first)
  await first.end()
  const hourAgo = join(home.folder, 'etcd')
  await withoutEtcd((data) => cpSync(data, hourAgo, { recursive: true }))

  // What the copy does not know: another declaration, its revision, and two reigns. Of one the nodes could not tell: a
  // new leader begins one above the term it finds, and speaks at once.
  const declare = () =>
    cluster().kubectl(['patch', 'archives.ppn.dev', 'cluster-totebox-office-1', '--type=merge', '-p', WEIGHT])
  await declare()
  const second = await home.onCluster()
  await ready(second)
  await second.end()
  const last = await home.onCluster()
  await ready(last)
  const [lost, term] = [lastingOf(last.authority), termOf(last)]
  await last.end()
  await withoutEtcd((data) => {
    rmSync(data, { recursive: true })
    cpSync(hourAgo, data, { recursive: true })
  })
  // Its watches are of revisions that are no more.
  await cluster().restartApiServer()

  const since = home.since()
  const unaware = await home.onCluster()
  await expect.poll(() => unaware.authority.serving.downlink()?.reign.phase(), { timeout: 30_000 }).toBe('Superseded')
  await unaware.end()

  // As docs/backup.md says: the declarations of today, then the word that this is a restored state.
  await declare()
  expect(await home.restoreOnCluster()).toMatchObject({ code: 0, err: '' })
  const third = await home.onCluster()
  // What the copy says of the fleet is Ready from the first moment; that the nodes were heard is told by the term.
  await expect.poll(() => termOf(third), { timeout: 60_000 }).toBeGreaterThan(term)
  await ready(third)
  const { revision, ...kept } = lastingOf(third.authority)
  const { revision: before, ...known } = lost
  expect(kept).toEqual(known)
  expect(revision).toBeGreaterThanOrEqual(before)
  await wait(2_000)
  expect(since.ops()).toEqual(['PING'])
  expect(since.driverCalls()).toEqual([])
  await third.end()
})

const WEIGHT = '{"spec":{"cpu":{"weight":321}}}'

/** `change` gets the data of an etcd that is down. */
async function withoutEtcd(change: (data: string) => void): Promise<void> {
  const { restart } = await cluster().stopEtcd()
  change(join(dirname(cluster().auditLog), 'etcd'))
  restart()
  await expect.poll(async () => (await cluster().request('GET', '/readyz')).status, { timeout: 60_000 }).toBe(200)
}

test('killed again and again, either way, it never leaves two homes, and loses no fact', {
  timeout: 400_000,
}, async () => {
  const second = twoHomes(cluster, 'examples/office')
  const namespace = 'ppn-second'
  await cluster().kubectl(['create', 'namespace', namespace])
  await emptied()
  try {
    // No machines: what waits for one stays under way. A brake, an act, and a deletion go along.
    const first = await second.onFolder(undefined, { machines: false })
    const pairing = { nodeName: 'visitor', rendezvous: 'A2B3', code: 'ABCD-EFGH' }
    const { store } = first.authority.world
    const asked = await store.create('Pairing', 'visitor', pairing)
    await expect.poll(() => store.records.get(`pairing/${asked.metadata.uid}`)).toBeDefined()
    const archive = store.list('Archive')[0] as PpnObject<'Archive'>
    await rm(join(second.fleet, 'archives'), { recursive: true })
    const holdOf = () => store.records.get(`hold/Archive/${archive.metadata.uid}`)?.value
    await expect.poll(holdOf, { timeout: 20_000 }).toMatchObject({ state: 'held' })
    await first.end()
    await writeFile(join(second.state, 'brake'), 'moving house\n')
    // Facts that only a fleet with machines would have.
    const [someNode] = store.list('Node')
    const more = { term: 7, [`severed/${someNode?.metadata.uid}`]: { atMs: 1, how: 'left', enrolmentId: 'gone' } }
    addFacts(second.state, { ...more, [`frozen/${archive.metadata.uid}`]: { of: [archive.metadata.uid] } })
    const facts = readState(second.state)?.records ?? []

    expect(await second.migrate('--to-cluster', '-n', namespace)).toMatchObject({
      code: 2,
      err: expect.stringContaining(`deletions are under way: Archive/${archive.metadata.name}`),
    })
    const there = await untilThrough(second, namespace, 'to-cluster')
    expect(there.attempts).toBeGreaterThan(5)
    await expect(second.onFolder()).rejects.toMatchObject({ code: 'AuthorityMoved' })

    // Every fact is there once, under the uid that its object has now.
    const records = await recordsOf(namespace)
    const objects = await listed(cluster())
    const uids = uidsOnArrival(
      there.what.state.objects.map(({ object }) => object),
      objects as unknown as AnyObject[],
    )
    expect(records).toEqual(byKey(factsOnArrival(facts, uids)))
    expect(await cluster().kubectl(['get', 'meshes.ppn.dev', '-o', 'yaml'])).toContain('ppn.dev/brake: moving house')
    const going = objects.find(({ metadata }) => metadata.name === archive.metadata.name)
    expect(going?.metadata).toMatchObject({ deletionTimestamp: expect.any(String), finalizers: ['ppn.dev/teardown'] })
    // A held deletion stays held: nobody has confirmed it by moving.
    expect(going?.metadata).not.toHaveProperty(['annotations', 'ppn.dev/confirm-delete'])

    // And back, to a folder that is written anew.
    const back = { ...second, fleet: join(second.folder, 'new-fleet'), state: join(second.folder, 'new-state') }
    await mkdir(back.fleet)
    const { attempts } = await untilThrough(back, namespace, 'to-folder')
    expect(attempts).toBeGreaterThan(3)
    const arrived = readState(back.state)
    const { term, ...kept } = Object.fromEntries(byKey(arrived?.records ?? []))
    const { term: before, ...same } = Object.fromEntries(records)
    expect(kept).toEqual(same)
    expect(term).toBe((before as number) + TERM_LEAP)
    const { objects: declared, problems } = await validateFolder(back.fleet, second.clock)
    expect(problems).toEqual([])
    const said = (all: readonly AnyObject[]) =>
      byKey(all.map((o) => ({ key: `${o.kind}/${o.metadata.name}`, value: o.spec })))
    const { objects: written } = await validateFolder(second.fleet, second.clock)
    expect(said(declared)).toEqual(said(written))
    expect(await readFile(join(back.state, 'brake'), 'utf8')).toBe('moving house\n')
    expect(await cluster().kubectl(['get', 'meshes.ppn.dev', '-o', 'yaml'])).not.toContain('ppn.dev/brake')
    const last = await second.onFolder(back, { machines: false })
    expect(last.authority.world.store.list('Archive').map(({ metadata }) => metadata.uid)).toContain(
      going?.metadata.uid,
    )
    await last.end()

    // Another declaration there than here: nothing moves, and both are named.
    const [node] = written.filter(({ kind }) => kind === 'Node')
    const name = node?.metadata.name ?? ''
    await cluster().kubectl(['patch', 'nodes.ppn.dev', name, '--type=merge', '-p', '{"spec":{"isolated":true}}'])
    await expect(moved(back, namespace, 'to-cluster')).rejects.toThrow(
      `the cluster and the folder differ in Node/${name}`,
    )
    refuseMoved(await markInFolder(diskFiles(back.state)))
  } finally {
    await second.stop()
  }
})

type Home = Pick<ReturnType<typeof twoHomes>, 'fleet' | 'state' | 'clock'>
type Direction = 'to-cluster' | 'to-folder'

const isHome = async (place: Place) => {
  const mark = await place.mark()
  return mark ? mark.phase === 'here' : (await place.occupied()) !== undefined
}

/** One process that moves, and is gone after so many writes to the API server. */
async function moved(
  { fleet, state, clock }: Home,
  namespace: string,
  direction: Direction,
  writes = Number.POSITIVE_INFINITY,
) {
  const connection = await connectKube({ kubeconfig: cluster().kubeconfig, clock, userAgent: 'a person who migrates' })
  let left = writes
  const api: KubeApi = {
    watch: connection.watch,
    async request(request) {
      const counts = request.method !== 'GET' && !request.path.includes('dryRun') && !request.path.includes('/leases')
      if (counts && left-- <= 0) throw new Error('killed')
      return connection.request(request)
    },
  }
  const folder = await folderPlace({ fleet, state, clock })
  try {
    const over = await clusterPlace(
      {
        ...{ api, namespace, clock, server: 'here', secret: SECRET, random01: Math.random, log: silentLogger() },
        identity: 'migrate',
      },
      new AbortController().signal,
    )
    const [from, to] = direction === 'to-cluster' ? [folder, over] : [over, folder]
    try {
      return await moveAuthority(from, to, { clock, random: systemRandom, withDeletions: true })
    } finally {
      expect([await isHome(from), await isHome(to)].filter(Boolean).length).toBeLessThanOrEqual(1)
      await over.close()
    }
  } finally {
    await folder.close()
    connection.close()
  }
}

/** Killed after 0, 1, 2, ... writes more, until it is through. */
async function untilThrough(home: Home, namespace: string, direction: Direction) {
  let what: Awaited<ReturnType<typeof moved>>['what']
  for (let writes = 0; ; writes++) {
    try {
      const result = await moved(home, namespace, direction, writes)
      return { attempts: writes + 1, what: (result.what ?? what) as NonNullable<typeof what> }
    } catch (error) {
      if ((error as Error).message !== 'killed') throw error
    }
  }
}

function addFacts(state: string, facts: Record<string, unknown>): void {
  const { records, close } = sqlitePersistence(openDatabase(state))
  let version = records.version()
  const rows = Object.entries(facts).map(([key, value]) => ({ key, value, version: ++version }))
  records.write(rows, [], version)
  close()
}

const byKey = (facts: readonly { key: string; value: unknown }[]) =>
  facts.map(({ key, value }) => [key, value] as const).sort(([a], [b]) => (a < b ? -1 : 1))

async function recordsOf(namespace: string) {
  const { items } = (await cluster().request('GET', recordsPath(namespace))).json() as {
    items: { key: string; value: string }[]
  }
  return byKey(items.map(({ key, value }) => ({ key, value: JSON.parse(value) as unknown })).filter(ofTheAuthority))
}

/** As a person confirms and deletes what nobody reconciles any more. */
async function emptied(): Promise<void> {
  for (const { kind, metadata } of await listed(cluster())) {
    const path = objectPath(kind, metadata)
    const change = { annotations: { 'ppn.dev/confirm-delete': metadata.name }, finalizers: null }
    await cluster().request('PATCH', path, { metadata: change }, 'application/merge-patch+json')
    await cluster().request('DELETE', path)
  }
  expect(await listed(cluster())).toEqual([])
}
