// The guest's disk: boot sector, the kernel's command line in a sector of its own, kernel, first file system, and a
// partition for data. Written as bytes: nothing is mounted, nobody need be root.
import type { FileHandle } from 'node:fs/promises'

const SECTOR = 512
/** The boot loader's table (boot.S). */
const TABLE = 0x180
const ENTRY_BYTES = 12
const PARTITIONS = 0x1be
const COMMAND_LINE_SECTOR = 1
const KERNEL_SECTOR = 64
/** Where the data partition begins: leaves room for a kernel and a first file system of 32 MiB. */
const DATA_SECTOR = 65_536

/** Where things go in memory. */
const SETUP_AT = 0x90000
const COMMAND_LINE_AT = 0x9e000
const KERNEL_AT = 0x100000
/** Above what the kernel needs to unpack itself, below the 128 MiB of the smallest guest. */
const INITRD_AT = 0x6000000

export interface DiskParts {
  /** What boot.S assembles to. */
  loader: Uint8Array
  kernel: Uint8Array
  initrd: Uint8Array
  commandLine: string
  /** A file system. */
  data: Uint8Array
}

export async function writeDisk(file: FileHandle, parts: DiskParts): Promise<void> {
  const kernel = Buffer.from(parts.kernel)
  const setupSectors = (kernel.readUInt8(0x1f1) || 4) + 1
  const kernelSectors = sectorsOf(kernel) - setupSectors
  const initrdSector = KERNEL_SECTOR + setupSectors + kernelSectors
  if (initrdSector + sectorsOf(parts.initrd) > DATA_SECTOR) throw new Error('kernel and first file system are too big')
  setHeader(kernel, parts.initrd.length)
  const head = bootSector(parts.loader, [
    [KERNEL_SECTOR, setupSectors, SETUP_AT],
    [COMMAND_LINE_SECTOR, 1, COMMAND_LINE_AT],
    [KERNEL_SECTOR + setupSectors, kernelSectors, KERNEL_AT],
    [initrdSector, sectorsOf(parts.initrd), INITRD_AT],
  ])
  partition(head, 0, 0xda, KERNEL_SECTOR, DATA_SECTOR - KERNEL_SECTOR)
  partition(head, 1, 0x83, DATA_SECTOR, sectorsOf(parts.data))
  await file.truncate((DATA_SECTOR + sectorsOf(parts.data)) * SECTOR)
  await file.write(head, 0, SECTOR, 0)
  await writeCommandLine(file, parts.commandLine)
  await sparse(file, kernel, KERNEL_SECTOR * SECTOR)
  await sparse(file, parts.initrd, initrdSector * SECTOR)
  await sparse(file, parts.data, DATA_SECTOR * SECTOR)
}

/** What tells one variant of the guest from another. */
export async function writeCommandLine(file: FileHandle, text: string): Promise<void> {
  const sector = Buffer.alloc(SECTOR)
  if (sector.write(text) >= SECTOR) throw new Error('the command line is too long')
  await file.write(sector, 0, SECTOR, COMMAND_LINE_SECTOR * SECTOR)
}

const sectorsOf = (bytes: Uint8Array) => Math.ceil(bytes.length / SECTOR)

/** What a boot loader fills in (Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"). */
function setHeader(kernel: Buffer, initrdBytes: number): void {
  if (kernel.toString('latin1', 0x202, 0x206) !== 'HdrS') throw new Error('not a Linux kernel')
  kernel.writeUInt8(0xff, 0x210) // type_of_loader: none that has a number
  kernel.writeUInt8(kernel.readUInt8(0x211) | 0x80, 0x211) // loadflags: CAN_USE_HEAP
  kernel.writeUInt32LE(INITRD_AT, 0x218)
  kernel.writeUInt32LE(initrdBytes, 0x21c)
  kernel.writeUInt16LE(0xde00, 0x224) // heap_end_ptr: below stack and command line
  kernel.writeUInt32LE(COMMAND_LINE_AT, 0x228)
}

function bootSector(loader: Uint8Array, table: [sector: number, count: number, address: number][]): Buffer {
  const head = Buffer.alloc(SECTOR)
  if (loader.length > TABLE) throw new Error(`the boot loader has ${loader.length} bytes, ${TABLE} is the most`)
  head.set(loader)
  for (const [index, entry] of table.entries())
    for (const [field, value] of entry.entries()) head.writeUInt32LE(value, TABLE + index * ENTRY_BYTES + field * 4)
  head.writeUInt16LE(0xaa55, SECTOR - 2)
  return head
}

function partition(head: Buffer, index: number, type: number, first: number, count: number): void {
  const at = PARTITIONS + index * 16
  head.writeUInt8(type, at + 4)
  head.writeUInt32LE(first, at + 8)
  head.writeUInt32LE(count, at + 12)
}

/** Leaves holes where there is nothing. */
async function sparse(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  const step = 65_536
  const nothing = Buffer.alloc(step)
  for (let at = 0; at < bytes.length; at += step) {
    const piece = bytes.subarray(at, at + step)
    if (!nothing.subarray(0, piece.length).equals(piece)) await file.write(piece, 0, piece.length, position + at)
  }
}
