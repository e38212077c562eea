// A machine that proves its processor: 64 KiB at the top of the first MiB, entered at f000:fff0 in real mode.
// It goes to long mode through page tables of its own, counts to a million in memory, and tells the debug port
// (isa-debug-exit) to end QEMU. A /dev/kvm that opens but cannot run 64-bit code (nested, or emulated) stays silent.
//
//   0000  cli; xor ax,ax; mov ds,ax
//         [1000] = 2003h, [2000] = 3003h, [3000] = 83h       PML4 -> PDPT -> one page of 2 MiB at 0
//         cr3 = 1000h; cr4 |= PAE; EFER |= LME; lgdt; cr0 |= PG|PE; ljmp 8:long
//   gdt   null; 64-bit code, already accessed, for nothing here can be written
//   long  ecx = 1000000; do inc qword [5000] while --ecx; out 501h, 10h; hlt
//   fff0  jmp f000:0000
const CODE = Buffer.from(
  'fa31c08ed866c70600100320000066c70604100000000066c70600200330000066c70604200000000066c706003083000000' +
    '66c70604300000000066b8001000000f22d80f20e06683c8200f22e066b9800000c00f32660d000100000f30b800f08ed866' +
    '0f01168d000f20c0660d010000800f22c066ea93000f0008000000000000000000ffff0000009baf000f007d000f00b94042' +
    '0f0048ff042500500000ffc975f4b01066ba0105eef4',
  'hex',
)
const ENTRY = Buffer.from('ea000000f0', 'hex')
const SIZE = 0x10000
const ENTRY_AT = 0xfff0

/** What it tells the debug port v makes QEMU exit with v*2+1. */
export const PROBE_EXIT_CODE = 0x10 * 2 + 1

export function probeRom(): Uint8Array {
  const rom = Buffer.alloc(SIZE)
  CODE.copy(rom)
  ENTRY.copy(rom, ENTRY_AT)
  return rom
}
