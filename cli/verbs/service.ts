// `ppn service install|remove|print`: agent and authority as services of systemd, with the paths of this installation.
import { existsSync } from 'node:fs'
import { mkdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Processes, runOk, systemProcesses } from '../../base/processes.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { type Installation, type Service, serviceFiles, unitName } from '../service/units.ts'

async function thisInstallation(processes: Processes): Promise<Installation> {
  const said = await processes.run('systemctl', ['--version']).catch(() => undefined)
  const systemd = Number(/^systemd (\d+)/.exec(said?.stdout ?? '')?.[1])
  const installed = { node: process.execPath, entry: await realpath(process.argv[1] ?? '') }
  return Number.isNaN(systemd) ? installed : { ...installed, systemd }
}

function known(name: string): Service {
  if (name === 'agent' || name === 'authority') return name
  throw new CliError(EXIT.usage, `"${name}" is no service of ppn`, 'agent or authority')
}

/** Every file with its path, as `install` writes it. */
export async function servicePrint(io: Io, name: string): Promise<ExitCode> {
  for (const { path, text } of serviceFiles(known(name), await thisInstallation(systemProcesses())))
    io.out(`# ${path}\n${text}\n`)
  return EXIT.ok
}

/** With `root`, a folder that becomes a machine later: files only, enabled for its first start. */
export async function serviceInstall(
  io: Io,
  name: string,
  options: { root?: string; start: boolean },
): Promise<ExitCode> {
  const service = known(name)
  const processes = systemProcesses()
  const root = options.root ?? '/'
  if (options.root === undefined) mustBeHost()
  const installed = await thisInstallation(processes)
  for (const { path, text } of serviceFiles(service, installed)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text, { mode: 0o644 })
    io.out(`wrote ${join(root, path)}\n`)
  }
  if (installed.entry.endsWith('.ts'))
    io.err('note: this runs the source, which costs some 40 MiB more; install the package for a real node\n')
  const unit = unitName(service)
  if (options.root !== undefined) {
    const wants = join(root, 'etc/systemd/system/multi-user.target.wants')
    await mkdir(wants, { recursive: true })
    await rm(join(wants, unit), { force: true })
    await symlink(`/etc/systemd/system/${unit}`, join(wants, unit))
    return EXIT.ok
  }
  const must = (command: string, ...args: string[]) => runOk(processes, command, args, { timeoutMs: WITHIN_MS })
  await must('systemd-sysusers', `ppn-${service}.conf`)
  await must('systemd-tmpfiles', '--create', `ppn-${service}.conf`)
  await must('systemctl', 'daemon-reload')
  await must('systemctl', 'enable', unit)
  if (options.start) {
    await must('systemctl', 'restart', unit)
    io.out(`${unit} runs; see: systemctl status ${unit}\n`)
  } else io.out(`${unit} is enabled; start it with: systemctl start ${unit}\n`)
  return EXIT.ok
}

/** systemd of a slow machine that has just booted, and the start of a service. */
const WITHIN_MS = 120_000

/** Stops the service and takes its files away. State, configuration, tunnels and VMs stay. */
export async function serviceRemove(io: Io, name: string): Promise<ExitCode> {
  const service = known(name)
  mustBeHost()
  const processes = systemProcesses()
  const unit = unitName(service)
  await processes.run('systemctl', ['disable', '--now', unit], { timeoutMs: WITHIN_MS })
  for (const { path } of serviceFiles(service, { node: '', entry: '' })) {
    if (!existsSync(path)) continue
    await rm(path)
    io.out(`removed ${path}\n`)
  }
  await runOk(processes, 'systemctl', ['daemon-reload'], { timeoutMs: WITHIN_MS })
  return EXIT.ok
}

function mustBeHost(): void {
  if (!existsSync('/run/systemd/system'))
    throw new CliError(
      EXIT.unavailable,
      'this machine does not run systemd',
      'print the files with `ppn service print`, or write them into a machine to be with --root',
    )
  if (process.getuid?.() !== 0) throw new CliError(EXIT.unavailable, 'only root may change services', 'use sudo')
}
