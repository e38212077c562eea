// manifests/base/confirm-delete.yaml: nothing that took a person's decision to make goes by mistake, whichever way the
// deletion comes.
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { createPath, objectPath } from '../../stores/kube/resources.ts'
import { minimalObject } from '../objects/base.ts'
import { freshCluster } from './fresh-cluster.ts'

const cluster = freshCluster('manifests/base')
const CONFIRM = 'ppn.dev/confirm-delete'
const TOTEBOX = 'cluster-totebox-kept-1'

const node = (name: string, annotations = {}) => ({ ...minimalObject('Node'), metadata: { name, annotations } })
const archive = (namespace: string, annotations = {}) => ({
  ...minimalObject('Archive'),
  metadata: { name: TOTEBOX, namespace, annotations },
})
const make = async (path: string, object: object) => {
  const { status, text } = await cluster().request('POST', path, object)
  expect(status, text).toBe(201)
}
const makeNode = (name: string, annotations = {}) => make(createPath('Node'), node(name, annotations))
const makeArchive = (namespace: string, annotations = {}) =>
  make(createPath('Archive', namespace), archive(namespace, annotations))
const makeNamespace = (name: string) =>
  make('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
const names = async (path: string): Promise<string[]> => {
  const { items } = (await cluster().request('GET', path)).json() as { items: { metadata: { name: string } }[] }
  return items.map(({ metadata }) => metadata.name)
}

/** The server compiles a new policy in its own time. */
beforeAll(async () => {
  await makeNode('probe')
  while ((await cluster().request('DELETE', `${objectPath('Node', { name: 'probe' })}?dryRun=All`)).status !== 403)
    await wait(200)
  await cluster().request('PATCH', objectPath('Node', { name: 'probe' }), confirmed('probe'), MERGE)
  await cluster().request('DELETE', objectPath('Node', { name: 'probe' }))
})
const MERGE = 'application/merge-patch+json'
const confirmed = (name: string | null) => ({ metadata: { annotations: { [CONFIRM]: name } } })

test('deleting a whole collection takes only what is confirmed', async () => {
  await makeNode('stays')
  await makeNode('goes', { [CONFIRM]: 'goes' })
  const { status, text } = await cluster().request('DELETE', createPath('Node'))
  expect(status, text).toBe(403)
  expect(text).toContain('nodes.ppn.dev/stays')
  // The server deletes in no order and stops at the first refusal: what is confirmed may be left for the next time.
  await cluster().request('DELETE', `${createPath('Node')}?fieldSelector=metadata.name%3Dgoes`)
  expect(await names(createPath('Node'))).toEqual(['stays'])
})

test('a confirmation can be taken back, and replacing by force is a deletion', async () => {
  await makeNode('wavers', { [CONFIRM]: 'wavers' })
  const path = objectPath('Node', { name: 'wavers' })
  expect((await cluster().request('PATCH', path, confirmed(null), MERGE)).status).toBe(200)
  expect((await cluster().request('DELETE', path)).status).toBe(403)
  const forced = await cluster().tryKubectl(['replace', '--force', '-f', '-'], JSON.stringify(node('wavers')))
  expect(forced.stderr).toContain(`${CONFIRM}=wavers`)
  expect((await cluster().request('GET', path)).status).toBe(200)
  // In one breath with the annotation that lets it go without touching a machine: that is no confirmation either.
  const orphan = { metadata: { annotations: { 'ppn.dev/deletion': 'Orphan' } } }
  expect((await cluster().request('PATCH', path, orphan, MERGE)).status).toBe(200)
  expect((await cluster().request('DELETE', path)).status).toBe(403)
})

test('archives of one name in two namespaces are confirmed one by one; the refusal names the namespace', async () => {
  for (const namespace of ['tenant-a', 'tenant-b']) await makeNamespace(namespace)
  await makeArchive('tenant-a', { [CONFIRM]: TOTEBOX })
  await makeArchive('tenant-b')
  const kept = await cluster().request('DELETE', objectPath('Archive', { name: TOTEBOX, namespace: 'tenant-b' }))
  expect(kept.status).toBe(403)
  expect(kept.text).toContain(`archives.ppn.dev/${TOTEBOX} ${CONFIRM}=${TOTEBOX} -n tenant-b`)
  const gone = await cluster().request('DELETE', objectPath('Archive', { name: TOTEBOX, namespace: 'tenant-a' }))
  expect(gone.status, gone.text).toBe(200)
})

test('a namespace that goes leaves its archives until each is confirmed, which can still be done', async () => {
  await makeNamespace('tenant-c')
  await makeArchive('tenant-c')
  const path = objectPath('Archive', { name: TOTEBOX, namespace: 'tenant-c' })
  expect((await cluster().request('DELETE', '/api/v1/namespaces/tenant-c')).status).toBe(200)
  // What the controller of namespaces does next, by the role that it has.
  const asController = ['--as=system:serviceaccount:kube-system:namespace-controller', '-n', 'tenant-c']
  const sweep = () => cluster().tryKubectl(['delete', 'archives.ppn.dev', '--all', '--wait=false', ...asController])
  expect((await sweep()).stderr).toContain(`${CONFIRM}=${TOTEBOX}`)
  expect((await cluster().request('DELETE', createPath('Archive', 'tenant-c'))).status).toBe(403)
  expect((await cluster().request('GET', path)).status).toBe(200)
  const left = (await cluster().request('GET', '/api/v1/namespaces/tenant-c')).json() as { status: { phase: string } }
  expect(left.status.phase).toBe('Terminating')
  expect((await cluster().request('PATCH', path, confirmed(TOTEBOX), MERGE)).status).toBe(200)
  expect((await sweep()).exitCode).toBe(0)
  expect((await cluster().request('GET', path)).status).toBe(404)
})

test('the kinds and the namespace of the records are locked alike; others are nobody’s business', async () => {
  const { tryKubectl, kubectl } = cluster()
  await makeNode('inside')
  const all = await tryKubectl(['delete', '--wait=false', '-k', 'manifests/base', '--dry-run=server'])
  for (const what of ['namespaces/ppn-system', 'customresourcedefinitions.apiextensions.k8s.io/nodes.ppn.dev'])
    expect(all.stderr).toContain(`kubectl annotate ${what} ${CONFIRM}=`)
  for (const crd of await names('/apis/apiextensions.k8s.io/v1/customresourcedefinitions')) {
    const { status } = await cluster().request(
      'DELETE',
      `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd}`,
    )
    expect(status, crd).toBe(403)
  }
  expect((await cluster().request('GET', objectPath('Node', { name: 'inside' }))).status).toBe(200)
  await makeNamespace('somebody-elses')
  expect((await cluster().request('DELETE', '/api/v1/namespaces/somebody-elses')).status).toBe(200)
  await kubectl(['annotate', 'namespace/ppn-system', `${CONFIRM}=ppn-system`])
  const going = await cluster().request('DELETE', '/api/v1/namespaces/ppn-system?dryRun=All')
  expect(going.status, going.text).toBe(200)
})

test('applied again, as an upgrade does it, the kinds keep their objects and their marks against pruning', async () => {
  const marks = async () => {
    const { items } = (
      await cluster().request('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions')
    ).json() as {
      items: { metadata: { name: string; annotations?: Record<string, string> } }[]
    }
    return items.map(({ metadata: { name, annotations } }) => [
      ...[name, annotations?.['kustomize.toolkit.fluxcd.io/prune'], annotations?.['helm.sh/resource-policy']],
      annotations?.['argocd.argoproj.io/sync-options'],
    ])
  }
  const before = await marks()
  expect(before.length).toBeGreaterThan(5)
  for (const [name, ...rest] of before) expect(rest, name).toEqual(['disabled', 'keep', 'Prune=false,Delete=false'])
  // Another tool had them before, and dropped the marks.
  for (const [name] of before)
    await cluster().kubectl(['annotate', 'crd', name as string, 'kustomize.toolkit.fluxcd.io/prune-'])
  await cluster().kubectl(['apply', '--server-side', '--force-conflicts', '-k', 'manifests/base'])
  expect(await marks()).toEqual(before)
  expect(await names(createPath('Node'))).toContain('inside')
})
