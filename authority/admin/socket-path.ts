import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

/** The file in the state folder that says where the socket is. */
export const POINTER = 'admin.path'

/** Where the authority is when it runs as a service (docs/install.md). Its socket is for the group `ppn`. */
export const SERVICE = {
  fleet: '/etc/ppn/fleet',
  state: '/var/lib/ppn-authority',
  socket: '/run/ppn-authority/admin.sock',
} as const

/** The folder of that socket; in a pod, an empty volume. */
export const SERVICE_RUNTIME = dirname(SERVICE.socket)

/** sun_path holds 108 bytes with the closing zero (unix(7)). */
const SUN_PATH_BYTES = 107

/** `admin.sock` in the state folder; when that is too long for a socket, a name by digest in the runtime folder. */
export function socketPath(stateFolder: string, runtimeFolder = process.env.XDG_RUNTIME_DIR ?? tmpdir()): string {
  const direct = join(resolve(stateFolder), 'admin.sock')
  if (Buffer.byteLength(direct) <= SUN_PATH_BYTES) return direct
  const digest = createHash('sha256').update(resolve(stateFolder)).digest('hex').slice(0, 16)
  return join(runtimeFolder, `ppn-${digest}.sock`)
}
