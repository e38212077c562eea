// The kernel's switch for forwarding what comes in by one interface. /proc/sys/net shows the network namespace of the
// process that looks, so this is read and written by ourselves and not by a program.
import { readFile, writeFile } from 'node:fs/promises'

export interface ForwardSwitch {
  /** Undefined: there is no such interface. */
  read(name: string): Promise<boolean | undefined>
  write(name: string, on: boolean): Promise<void>
}

/** See ip-sysctl: conf/interface/forwarding. Other interfaces, and net.ipv4.ip_forward, stay as they are. */
export function procForwardSwitch(): ForwardSwitch {
  const file = (name: string) => `/proc/sys/net/ipv4/conf/${name}/forwarding`
  return {
    async read(name) {
      try {
        return (await readFile(file(name), 'latin1')).trim() !== '0'
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    write: (name, on) => writeFile(file(name), on ? '1' : '0'),
  }
}
