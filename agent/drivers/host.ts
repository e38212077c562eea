// What the machine itself says.

export interface HostDriver {
  capacity(): Promise<{ memoryMiB: number; cpus: number }>
  /** Free memory and PSI (share of time some task waited for memory, 10 s average, percent). */
  usage(): Promise<{ memoryFreeMiB: number; psiSomeAvg10: number }>
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
