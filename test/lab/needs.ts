// What the lab asks of the machine, said in one go, with the command that mends it.
import { existsSync } from 'node:fs'
import type { Processes } from '../../base/processes.ts'

/** Program -> Debian package. */
const PROGRAMS: Record<string, string> = {
  unshare: 'util-linux',
  ip: 'iproute2',
  nft: 'nftables',
  wg: 'wireguard-tools',
  tcpdump: 'tcpdump',
  sysctl: 'procps',
}
/** Where the kernel's module shows itself, loaded or built in. */
const KERNEL_WIREGUARD = '/sys/module/wireguard'

/** What is missing, each as a sentence; none when the lab can run here. */
export async function missingForLab(processes: Processes): Promise<string[]> {
  if (process.platform !== 'linux') return ['the lab is made of network namespaces, which only Linux has']
  if (process.getuid?.() !== 0)
    return [
      'the lab makes network namespaces, which needs root: run the same with sudo, or in a container with --privileged',
    ]
  const packages: string[] = []
  for (const [program, debian] of Object.entries(PROGRAMS))
    if (!(await isThere(processes, program))) packages.push(debian)
  if (!existsSync(KERNEL_WIREGUARD) && !(await isThere(processes, 'wireguard-go'))) packages.push('wireguard-go')
  const missing = packages.length > 0 ? [`packages are missing: apt-get install ${packages.join(' ')}`] : []
  if (!existsSync(KERNEL_WIREGUARD) && !existsSync('/dev/net/tun'))
    missing.push('neither the kernel has WireGuard nor is there /dev/net/tun for wireguard-go: modprobe tun')
  return missing
}

async function isThere(processes: Processes, program: string): Promise<boolean> {
  return (await processes.run('/bin/sh', ['-c', 'command -v "$0"', program])).exitCode === 0
}
