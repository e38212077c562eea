// What the machine itself says.

export interface HostUsage {
  memoryFreeMiB: number
  /** PSI: share of time some task waited for memory, 10 s average, percent; 0 where the host does not tell. */
  psiSomeAvg10: number
  /** Why the host does not tell its PSI. */
  psiUnavailable?: string
  /** Memory of a VM's process beside its guest; absent until measured. */
  vmOverheadMiB?: number
}

export interface HostDriver {
  capacity(): Promise<{ memoryMiB: number; cpus: number }>
  usage(): Promise<HostUsage>
  /** Does the kernel say that its clock is synchronised (adjtimex)? */
  clockSynchronised(): Promise<boolean>
}

export interface Drivers {
  wireguard: import('./wireguard/port.ts').WireGuardDriver
  vm: import('./vm/port.ts').VmDriver
  cgroup: import('./cgroup/port.ts').CgroupDriver
  image: import('./image/port.ts').ImageDriver
  host: HostDriver
}
