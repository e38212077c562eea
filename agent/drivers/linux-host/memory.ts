// What the kernel says of memory: /proc/meminfo (proc_meminfo(5)) and /proc/pressure/memory
// (Documentation/accounting/psi.rst).

const KIB_PER_MIB = 1024

/** A field of /proc/meminfo in MiB; undefined when it is not there. */
export function meminfoMiB(meminfo: string, field: string): number | undefined {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1]
  return found === undefined ? undefined : Number(found) / KIB_PER_MIB
}

/** `some avg10`: share of the last 10 s in which at least one task waited for memory, percent. */
export function psiSomeAvg10(pressure: string): number | undefined {
  const found = /^some avg10=(\d+\.\d+)/m.exec(pressure)?.[1]
  return found === undefined ? undefined : Number(found)
}
