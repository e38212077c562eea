// Making, reading and taking away the interface itself, whichever implementation stands behind it.
import { PpnError } from '../../../../base/errors.ts'
import { type Processes, runOk } from '../../../../base/processes.ts'
import type { TunnelDaemon } from './daemon.ts'
import { parseDump, parseLink, parseRoutes, type SeenDevice, type SeenLink, type SeenRoutes } from './seen.ts'

export interface Devices {
  /** Undefined: there is none. Rejects with InterfaceTaken when the name belongs to something else. */
  read(name: string): Promise<{ device: SeenDevice; link: SeenLink } | undefined>
  routes(name: string): Promise<SeenRoutes>
  make(name: string): Promise<void>
  remove(name: string): Promise<void>
}

const MISSING = /does not exist|cannot find device|no such device/i
const NO_MODULE = /unknown device type|not supported/i

export function devices(processes: Processes, daemon: TunnelDaemon): Devices {
  /** Once the kernel has said no, it is not asked again: a destroyed device should come back at once. */
  let kernel = true

  const link = async (name: string): Promise<SeenLink | undefined> => {
    const args = ['-json', '-details', 'address', 'show', 'dev', name]
    const { exitCode, stdout, stderr } = await processes.run('ip', args)
    if (exitCode === 0) return parseLink(stdout)
    if (MISSING.test(stderr)) return undefined
    throw new PpnError('ProgramFailed', { command: `ip ${args.join(' ')}`, exitCode, said: stderr.trim() })
  }

  return {
    async read(name) {
      const seen = await link(name)
      if (!seen) return undefined
      if (seen.kind !== 'wireguard' && seen.kind !== 'tun') throw new PpnError('InterfaceTaken', { name })
      const { exitCode, stdout, stderr } = await processes.run('wg', ['show', name, 'dump'])
      if (exitCode === 0) return { device: parseDump(stdout), link: seen }
      if (seen.kind === 'tun' && daemon.runs(name)) {
        // Its socket is gone: nobody can speak to it any more, and it is ours to end.
        await daemon.end(name)
        return undefined
      }
      if (!(await link(name))) return undefined
      if (seen.kind === 'tun') throw new PpnError('InterfaceTaken', { name })
      throw new PpnError('ProgramFailed', { command: `wg show ${name} dump`, exitCode, said: stderr.trim() })
    },
    routes: async (name) => parseRoutes(await runOk(processes, 'ip', ['-json', '-4', 'route', 'show', 'dev', name])),
    async make(name) {
      if (kernel) {
        const args = ['link', 'add', 'dev', name, 'type', 'wireguard']
        const { exitCode, stderr } = await processes.run('ip', args)
        if (exitCode === 0) return
        if (!NO_MODULE.test(stderr))
          throw new PpnError('ProgramFailed', { command: `ip ${args.join(' ')}`, exitCode, said: stderr.trim() })
        kernel = false
      }
      await daemon.start(name)
    },
    async remove(name) {
      const { exitCode, stderr } = await processes.run('ip', ['link', 'delete', 'dev', name])
      if (exitCode !== 0 && !MISSING.test(stderr))
        throw new PpnError('ProgramFailed', { command: `ip link delete dev ${name}`, exitCode, said: stderr.trim() })
      await daemon.end(name)
    },
  }
}
