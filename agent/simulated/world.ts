// Who is really where. A declared endpoint (host:port) leads to the machine that was standing there when that
// machine was first made; an endpoint nobody stands at leads nowhere, as a wrong name in DNS does.
import type { Files } from '../../base/files.ts'

export interface World {
  /** Endpoint to address of the machine behind it. */
  directory(): Promise<Record<string, string>>
  /** From now on `endpoint` leads to `address`. */
  learn(endpoint: string, address: string): Promise<void>
}

const FILE = 'world.json'

/**
 * The directory kept in `files`, read anew at every question: it is asked seldom, and another process may write it.
 * One process writes at a time.
 */
export function fileWorld(files: Files): World {
  const directory = async (): Promise<Record<string, string>> => {
    const bytes = await files.read(FILE)
    return bytes ? (JSON.parse(Buffer.from(bytes).toString()) as Record<string, string>) : {}
  }
  let writing: Promise<void> = Promise.resolve()
  return {
    directory,
    learn: (endpoint, address) => {
      writing = writing
        .catch(() => {})
        .then(async () => {
          const next = { ...(await directory()), [endpoint]: address }
          await files.write(FILE, Buffer.from(`${JSON.stringify(next, null, 2)}\n`))
        })
      return writing
    },
  }
}

/**
 * A machine takes its place: `endpoint` leads to it, unless the machine has one already. Where a machine stands does
 * not follow what is declared of it later; that is what makes a wrong declaration lead nowhere.
 */
export async function learnEndpoint(world: World, endpoint: string, address: string): Promise<void> {
  const directory = await world.directory()
  if (endpoint in directory || Object.values(directory).includes(address)) return
  await world.learn(endpoint, address)
}
