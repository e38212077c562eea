// `ppn agent`: the agent itself, and what is done on a node around it. Loads nothing of the authority.
import { stringify } from 'yaml'
import { systemRandom } from '../../base/random.ts'
import { isOperatorArmor } from '../../protocol/operator/document.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { ppnVersion } from '../version.ts'

export interface AgentOptions {
  stateDir: string
}

/** `--leave` and `--purge`: while no agent runs. */
export async function agentDepart(
  io: Io,
  options: { config?: string; forget?: boolean; purge?: boolean; stop?: boolean; yes?: boolean },
): Promise<ExitCode> {
  const [{ loadAgentConfig }, { openDeparture }, { disksHere, forgetMesh, leaveMesh, purgeNode, stopMachines }] =
    await Promise.all([
      import('../../agent/main/config-file.ts'),
      import('../../agent/main/departure.ts'),
      import('../../agent/main/leave.ts'),
    ])
  const config = await loadAgentConfig(options.config)
  const node = await openDeparture(config, { clock: io.clock, write: io.err })
  try {
    if (!options.purge) {
      const { interfaceName, running } = await leaveMesh(node)
      io.out(interfaceName === undefined ? 'this node is on no mesh\n' : `left the mesh: ${interfaceName} is gone\n`)
      if (running.length > 0) io.out(`${running.length} archives go on; the agent looks after them while it runs\n`)
      if (options.forget) {
        await forgetMesh(node.files)
        io.out('this machine is in no fleet: ppn join, or a claim\n')
      } else if (interfaceName !== undefined) io.out('the way back is a bundle given by hand: ppn agent import\n')
      return EXIT.ok
    }
    const disks = await disksHere(node)
    io.out(`this removes keys, bundles, interface and firewall table of this node (${node.state}, ${node.run})\n`)
    io.out(disks.length === 0 ? 'there are no disks\n' : `${disks.length} disks stay:\n${disks.map(diskLine).join('')}`)
    if (!options.yes && !(await confirmed(io, 'purge'))) return EXIT.no
    if (options.stop) await stopMachines(node)
    await node.openWalls()
    await purgeNode(node)
    io.out(disks.length === 0 ? 'nothing of ppn is left\n' : 'nothing of ppn is left but these disks\n')
    return EXIT.ok
  } finally {
    await node.close()
  }
}

const diskLine = (disk: { archive: string; path: string; sizeMiB: number }) =>
  `  ${disk.archive}  ${disk.sizeMiB} MiB  ${disk.path}\n`

async function confirmed(io: Io, word: string): Promise<boolean> {
  if (!io.terminal) throw new CliError(EXIT.usage, 'this cannot be undone', 'say --yes when nobody can be asked')
  const { createInterface } = await import('node:readline/promises')
  const asking = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return (await asking.question(`type ${word} to go on: `, { signal: io.signal })).trim() === word
  } finally {
    asking.close()
  }
}

/** Runs the agent until it is asked to stop. */
export async function agentRun(io: Io, options: { config?: string }): Promise<ExitCode> {
  const { runAgent } = await import('../../agent/main.ts')
  const { systemProcesses } = await import('../../base/processes.ts')
  const env = { ...io.env }
  // QEMU and wireguard-go outlive us and shall not speak to systemd in our name.
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete process.env[name]
  await runAgent({
    configFile: options.config,
    version: ppnVersion(),
    clock: io.clock,
    random: systemRandom,
    processes: systemProcesses(),
    env,
    pid: process.pid,
    write: io.err,
    ...(io.terminal && { tell: io.err }),
    onHangup: io.onHangup,
    signal: io.signal,
  })
  return EXIT.ok
}

/** Makes the node's keys, once, and prints the identity that goes into its Node object. */
export async function agentInit(io: Io, options: AgentOptions & { output?: string }): Promise<ExitCode> {
  const { diskFiles } = await import('../../base/disk-files.ts')
  const { initAgentKeys, loadAgentKeys, publicHalves } = await import('../../agent/keys/agent-keys.ts')
  const files = diskFiles(options.stateDir)
  const present = await loadAgentKeys(files)
  const identity = publicHalves(present ?? (await initAgentKeys(files, systemRandom)))
  if (present) io.err('this node has keys already; these are they\n')
  io.out(options.output === 'json' ? `${JSON.stringify({ identity }, null, 2)}\n` : stringify({ identity }))
  return EXIT.ok
}

/** Verifies a bundle from a file and leaves it for the agent; the first one pins the authority. */
export async function agentImport(
  io: Io,
  file: string,
  options: AgentOptions & { authority?: string },
): Promise<ExitCode> {
  const { diskFiles } = await import('../../base/disk-files.ts')
  const { importBundle } = await import('../../agent/bundles/import.ts')
  const text = await io.read(file)
  const files = diskFiles(options.stateDir)
  if (isOperatorArmor(text)) {
    const { importDocument } = await import('../../agent/bundles/import-document.ts')
    const document = await importDocument(files, text)
    io.out(document ? `document of the operator key taken: ${document.type}\n` : 'it is in force already\n')
    return EXIT.ok
  }
  const held = await importBundle(files, text, {
    ...(options.authority === undefined ? {} : { authorityFingerprint: options.authority }),
  })
  io.out(`bundle of term ${held.term}, revision ${held.revision} imported\n`)
  return EXIT.ok
}
