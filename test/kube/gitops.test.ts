// examples/gitops: what the pinned kubectl builds of them, and whether what Argo CD and Flux would show of our objects is
// what the objects say.
import { readFileSync } from 'node:fs'
import { afterEach, expect, inject, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { UNSEEN_GENERATION } from '../../api/crd/status.ts'
import { API_VERSION, KINDS } from '../../api/meta.ts'
import { runOk, systemProcesses } from '../../base/processes.ts'
import { kstatusProgram, luaProgram } from '../../hack/kube/build.ts'
import { kstatus } from '../../hack/kube/kstatus.ts'
import { type ArgoHealth, argoHealth } from '../../hack/kube/lua.ts'
import { type TestFleet, testFleet } from '../../testing/index.ts'

const FOLDER = 'examples/gitops'
const processes = systemProcesses()
const say = (line: string) => void process.stderr.write(`${line}\n`)

interface Built {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace: string; annotations?: Record<string, string> }
  spec: Record<string, unknown> & { path?: string; source?: { path: string } }
  data: Record<string, string>
}

/** `kubectl kustomize`, which is what `kubectl apply -k` and Flux build by. */
async function built(name: string): Promise<Built[]> {
  const text = await runOk(processes, inject('kubePrograms').kubectl, ['kustomize', `${FOLDER}/${name}`], {
    timeoutMs: 60_000,
  })
  return parseAllDocuments(text).map((document) => document.toJS() as Built)
}
const named = (all: readonly Built[], kind: string, name: string) =>
  all.find((one) => one.kind === kind && one.metadata.name === name) as Built

test('Flux: the authority first and never pruned, then the fleet, pruned but never replaced or taken down with Flux', async () => {
  const all = await built('flux')
  expect(all.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort()).toEqual([
    'GitRepository/fleet',
    'Kustomization/fleet',
    'Kustomization/ppn',
  ])
  expect(new Set(all.map(({ metadata }) => metadata.namespace))).toEqual(new Set(['flux-system']))
  const [ppn, fleet] = [named(all, 'Kustomization', 'ppn'), named(all, 'Kustomization', 'fleet')]
  expect(ppn.spec).toMatchObject({ prune: false, deletionPolicy: 'Orphan', wait: true })
  expect(fleet.spec).toMatchObject({ prune: true, deletionPolicy: 'Orphan', wait: true, force: false })
  expect(fleet.spec.dependsOn).toEqual([{ name: 'ppn' }])
  expect([ppn.spec.path, fleet.spec.path]).toEqual(['./ppn', './fleet'])
})

test('the folder `ppn` of a repository builds to what docs/kubernetes.md installs, with nothing that is an act or a secret', async () => {
  const all = await built('repository/ppn')
  expect(named(all, 'Deployment', 'ppn-authority')).toBeDefined()
  expect(JSON.stringify(all)).not.toContain('registry.invalid')
  const kinds = new Set(all.map(({ kind }) => kind))
  for (const kind of ['Secret', ...KINDS]) expect(kinds).not.toContain(kind)
  // None of the kinds goes because somebody takes its definition out of git.
  const crds = all.filter(({ kind }) => kind === 'CustomResourceDefinition')
  expect(crds.length).toBeGreaterThanOrEqual(KINDS.length)
  for (const { metadata } of crds)
    expect(metadata.annotations).toMatchObject({
      'kustomize.toolkit.fluxcd.io/prune': 'disabled',
      'argocd.argoproj.io/sync-options': expect.stringContaining('Prune=false'),
    })
})

test('Argo CD: a person confirms what is pruned, and every one of our kinds has its health', async () => {
  const all = await built('argocd')
  const [ppn, fleet] = [named(all, 'Application', 'ppn'), named(all, 'Application', 'fleet')]
  const confirmed = { syncOptions: expect.arrayContaining(['ServerSideApply=true', 'Prune=confirm', 'Delete=confirm']) }
  expect(ppn.spec.syncPolicy).toMatchObject({ ...confirmed, automated: { prune: false } })
  expect(fleet.spec.syncPolicy).toMatchObject({ ...confirmed, automated: { prune: true, allowEmpty: false } })
  expect([ppn.spec.source?.path, fleet.spec.source?.path]).toEqual(['ppn', 'fleet'])
  const { data } = named(all, 'ConfigMap', 'argocd-cm')
  expect(Object.keys(data).sort()).toEqual(KINDS.map((kind) => `resource.customizations.health.ppn.dev_${kind}`).sort())
  expect(new Set(Object.values(data))).toEqual(new Set([readFileSync(`${FOLDER}/argocd/health.lua`, 'utf8')]))
})

let fleet: TestFleet | undefined
afterEach(() => fleet?.stop())

/** Of the declared state in kstatus' words, what Argo CD is to say; a paused object is in no hurry. */
const EXPECTED: Record<string, readonly ArgoHealth['status'][]> = {
  Current: ['Healthy'],
  Failed: ['Degraded'],
  InProgress: ['Progressing', 'Suspended'],
  Terminating: ['Progressing'],
}

test('the health script says what kstatus says, of every state of a fleet that is good, bad, paused, silent and leaving', async () => {
  fleet = await testFleet({ folder: 'examples/office' })
  const { store } = fleet
  const states: { kind: string; metadata: { name: string; deletionTimestamp?: string } }[] = []
  const seen = new Set<string>()
  const look = () => {
    for (const object of KINDS.flatMap((kind) => store.list(kind))) {
      // As the API server shows one that nobody has looked at: by the CRD's default.
      const status = { observedGeneration: UNSEEN_GENERATION, conditions: [] }
      const state = { apiVersion: API_VERSION, status, ...JSON.parse(JSON.stringify(object)) }
      const { name, generation, deletionTimestamp } = state.metadata
      const id = JSON.stringify([state.kind, name, generation, deletionTimestamp, state.status])
      if (!seen.has(id)) states.push(state)
      seen.add(id)
    }
  }
  store.subscribe(look)
  look()
  await fleet.untilReady()

  const node = (name: string, spec: object, metadata: object = {}) => {
    return { apiVersion: API_VERSION, kind: 'Node', metadata: { name, ...metadata }, spec }
  }
  const spoke = { role: 'spoke', site: 'onprem' }
  // Two want one address: the holder keeps it, the newcomer is refused.
  fleet.apply(node('twin', { ...spoke, address: '10.8.0.1' }))
  fleet.apply(node('resting', spoke, { annotations: { 'ppn.dev/paused': 'yes' } }))
  await fleet.advance(5_000)
  const [archive] = store.list('Archive')
  fleet.withdraw('Archive', archive?.metadata.name ?? '', 'default')
  await fleet.advance(100)
  await fleet.agent('laptop-1').stop()
  await fleet.advance(90_000)
  look()

  const script = readFileSync(`${FOLDER}/argocd/health.lua`, 'utf8')
  const [argo, flux] = [await luaProgram({ processes, say }), await kstatusProgram({ processes, say })]
  const [healths, verdicts] = [
    await argoHealth(processes, argo, script, states),
    await kstatus(processes, flux, states),
  ]
  const differences = states.flatMap(({ kind, metadata }, i) => {
    const [health, verdict] = [healths[i]?.status as ArgoHealth['status'], verdicts[i]?.status as string]
    return EXPECTED[verdict]?.includes(health) ? [] : [`${kind}/${metadata.name}: ${health}, and ${verdict}`]
  })
  expect(differences).toEqual([])
  const of = (name: string) => healths[states.findLastIndex(({ metadata }) => metadata.name === name)]
  expect(of('relay')?.status).toBe('Healthy')
  expect(of('twin')).toMatchObject({ status: 'Degraded', message: expect.stringContaining('10.8.0.1') })
  expect(of('resting')?.status).toBe('Suspended')
  expect(of('laptop-1')?.status).toBe('Progressing')
  const going = states.findLastIndex(({ metadata }) => metadata.deletionTimestamp !== undefined)
  expect(healths[going]).toMatchObject({ status: 'Progressing' })
})
