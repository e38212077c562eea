// Sends packets addressed to somebody else, as fast as the kernel takes them, until its parent lets go.
// Arguments: the mesh address it sends from, the one it sends to, the port.
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { OP } from '../../protocol/command/ops.ts'

/** Under way at once: enough to keep the socket busy, few enough for its buffer. */
const BURST = 64

const [from = '', to = '', port = '0'] = process.argv.slice(2)
const socket = await loopbackTransport().bindUdp(from, 0, () => {})
const another = new Uint8Array(16)
another[0] = OP.PING
another[1] = Number(to.split('.')[3]) + 1
process.on('disconnect', () => process.exit())
for (;;) {
  await Promise.all(Array.from({ length: BURST }, () => socket.send(another, to, Number(port)).catch(() => {})))
  await new Promise((resolve) => setImmediate(resolve))
}
