// Kernel modules and what they need, in the order in which they can be loaded. A package holds no index of its
// modules (depmod writes it at installation), so each one is asked: `depends=` in its .modinfo section.
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

export interface Module {
  /** `virtio_blk`: hyphens are underscores, as the kernel has it. */
  name: string
  bytes: Buffer
}

/** `wanted` with everything they depend on, dependencies first. Throws when one is not in `folder`. */
export async function modulesFor(folder: string, wanted: readonly string[]): Promise<Module[]> {
  const files = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.name.endsWith('.ko')) files.set(nameOf(entry.name), path.join(entry.parentPath, entry.name))
  const loaded = new Map<string, Module>()
  const add = async (name: string): Promise<void> => {
    if (loaded.has(name)) return
    const file = files.get(name)
    if (file === undefined) throw new Error(`the kernel has no module ${name}`)
    const bytes = await readFile(file)
    for (const needed of dependsOf(bytes)) await add(needed)
    loaded.set(name, { name, bytes })
  }
  for (const name of wanted) await add(nameOf(`${name}.ko`))
  return [...loaded.values()]
}

const nameOf = (file: string) => file.slice(0, -'.ko'.length).replaceAll('-', '_')

function dependsOf(module: Buffer): string[] {
  const at = module.indexOf('\0depends=')
  if (at < 0) return []
  const start = at + '\0depends='.length
  return module
    .toString('latin1', start, module.indexOf(0, start))
    .split(',')
    .filter((name) => name !== '')
    .map((name) => name.replaceAll('-', '_'))
}
