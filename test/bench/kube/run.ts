// `npm run bench:kube [-- --objects N --rounds N --updates N --only NAME,...]`: the same small reconcile by ppn and by
// others against one real API server, in turns. docs/performance.md says what the figures mean.
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemProcesses } from '../../../base/processes.ts'
import { kubePrograms } from '../../../hack/kube/build.ts'
import { type Cluster, startCluster } from '../../../hack/kube/cluster.ts'
import { collectionPath } from '../../../stores/kube/resources.ts'
import { machine } from '../table.ts'
import { pause } from '../wait.ts'
import { auditTail } from './audit.ts'
import { AUTHORITY, CONTESTANTS } from './contestants.ts'
import { type Measured, measure } from './measure.ts'
import { type MeasuredAuthority, measureAuthority } from './measure-authority.ts'
import { createNodes, createObjects } from './objects.ts'
import { type BenchOptions, benchOptions } from './options.ts'
import { builtProgram } from './programs.ts'
import { startReceiver } from './receiver.ts'
import { authorityTable, changeTable, coldTable } from './report.ts'

const say = (line: string) => void process.stderr.write(`${line}\n`)
const lastLine = (text: string) => text.slice(text.lastIndexOf('\n') + 1)

/** Rejects when a person has had enough: the cluster is stopped all the same. */
const interrupted = () =>
  new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error('interrupted')))
  })

async function prepared(cluster: Cluster): Promise<void> {
  await cluster.kubectl(['apply', '--server-side', '-k', 'manifests/crds'])
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s'])
  // Established, and yet served a moment later.
  while ((await cluster.request('GET', collectionPath('Archive'))).status !== 200) await pause(50)
}

async function bench({ objects: count, rounds, updates, only }: BenchOptions): Promise<void> {
  const processes = systemProcesses()
  const wanted = ({ name }: { name: string }) => !only || only.includes(name)
  const taking = CONTESTANTS.filter(wanted)
  const programs = new Map<string, string>()
  for (const { name, needs } of [...taking, AUTHORITY].filter(wanted))
    programs.set(name, needs ? await builtProgram(needs, processes, say) : '')
  const cluster = await startCluster(await kubePrograms({ processes, say }))
  const receiver = await startReceiver()
  const state = await mkdtemp(join(tmpdir(), 'ppn-bench-'))
  try {
    await prepared(cluster)
    say(`creating ${count} archives ...`)
    const objects = await createObjects(cluster, count)
    const audit = auditTail(cluster.auditLog)
    const measured = new Map<string, Measured[]>(taking.map(({ name }) => [name, []]))
    const loads: number[] = []
    const places = { kubeconfig: cluster.kubeconfig, receiver: receiver.address, state }
    const scene = { objects, updates, receiver, audit, places }
    const authority: MeasuredAuthority[] = []
    const allRounds = async () => {
      for (let round = 0; round < rounds; round++) {
        // Another one first each time: who follows whom is not the same for all rounds.
        for (const contestant of taking.map((_, i) => taking[(i + round) % taking.length]!)) {
          say(`round ${round + 1}: ${contestant.name} ...`)
          const found = await measure(contestant, programs.get(contestant.name)!, scene)
          const shown = [{ what: contestant.name, rounds: [found] }]
          say(`${lastLine(coldTable(shown))}\n${lastLine(changeTable(shown))}`)
          measured.get(contestant.name)!.push(found)
          loads.push(loadavg()[0]!)
        }
      }
      if (!wanted(AUTHORITY)) return
      await createNodes(cluster)
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1}: ${AUTHORITY.name} ...`)
        const found = await measureAuthority(AUTHORITY, programs.get(AUTHORITY.name)!, scene)
        say(lastLine(authorityTable(AUTHORITY.name, [found])))
        authority.push(found)
        loads.push(loadavg()[0]!)
      }
    }
    await Promise.race([allRounds(), interrupted()])
    audit.close()
    const all = taking.map(({ name, what }) => ({ what, rounds: measured.get(name)! }))
    const version = /controller-runtime (v\S+)/.exec(
      readFileSync(new URL('controller-runtime/go.mod', import.meta.url), 'utf8'),
    )?.[1]
    process.stdout.write(`
${machine()}, controller-runtime ${version}, load average ${Math.min(...loads).toFixed(0)} to ${Math.max(...loads).toFixed(0)}
${count} archives, ${rounds} rounds in turns; middle of the rounds (least - most)

${coldTable(all)}

${changeTable(all)}
${authority.length > 0 ? `\n${authorityTable(AUTHORITY.what, authority)}\n` : ''}${receiver.repeats() > 0 ? `\n${receiver.repeats()} commands came twice.\n` : ''}`)
  } finally {
    receiver.close()
    await cluster.stop()
    await rm(state, { recursive: true, force: true })
  }
}

let options: BenchOptions | undefined
try {
  options = benchOptions(
    process.argv.slice(2),
    [...CONTESTANTS, AUTHORITY].map(({ name }) => name),
  )
} catch (error) {
  say((error as Error).message)
  process.exitCode = 64 // EX_USAGE of sysexits(3)
}
if (options) {
  await bench(options)
  // A turn that was interrupted waits for nobody.
  process.exit()
}
