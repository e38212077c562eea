// What a guest can be told to be: one word on its kernel's command line.

/**
 * willing: gives memory back, obeys the power button. hoarding: holds all its memory but 32 MiB from the start.
 * no-balloon: has no balloon driver. deaf: does not hear the power button. crashing: panics as soon as it is up.
 */
export const VARIANTS = ['willing', 'hoarding', 'no-balloon', 'deaf', 'crashing'] as const
export type GuestVariant = (typeof VARIANTS)[number]

/**
 * Most words save time under TCG, where patching and probing the kernel costs most. A panic ends the machine: QEMU
 * hears of it by pvpanic, or sees the reboot. The initcalls left out are tracing, certificates and a congestion
 * control; a kernel that lacks one of these names ignores it.
 */
const COMMAND_LINE = [
  'console=ttyS0',
  'quiet',
  'loglevel=3',
  'panic=-1',
  'PATH=/bin',
  'nokaslr',
  'mitigations=off',
  'no_timer_check',
  'tsc=reliable',
  'init_on_alloc=0',
  'edd=off',
  'cryptomgr.notests',
  'initcall_blacklist=init_kprobe_trace,load_system_certificate_list,cubictcp_register,crypto_kdf108_init',
]

export function commandLine(variant: GuestVariant): string {
  return [...COMMAND_LINE, `ppn.guest=${variant}`].join(' ')
}
