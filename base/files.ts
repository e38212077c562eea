/** A folder of small files that survive a crash. `base/disk-files.ts` is the real one, `testing/memory-files.ts` the other. */
export interface Files {
  /** The bytes, or undefined when there is no such file. Any other failure throws. */
  read(name: string): Promise<Uint8Array | undefined>
  /** Resolves when the bytes would survive a power cut: new file, fsync, rename, fsync of the folder. Mode 0600. */
  write(name: string, bytes: Uint8Array): Promise<void>
  /** As durable as `write`; no error when the file is not there. */
  remove(name: string): Promise<void>
  /** Names in this folder, not of folders below, sorted. */
  list(): Promise<string[]>
  /** The folder below this one, made when first written to. */
  sub(name: string): Files
  /** Adds bytes to the end and makes them durable. */
  append(name: string, bytes: Uint8Array): Promise<void>
}
