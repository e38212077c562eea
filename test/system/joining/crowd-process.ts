// Strangers at a pairing port: so many connections from as many addresses of 127.0.0.0/8, each of which says nothing
// (or `hello` with a rendezvous that is a guess) and is dialled again when it is closed. A process of its own: its file descriptors and its work are not the test's.
//   crowd-process.ts HOST PORT CONNECTIONS [hello]   prints {"open":N,"dialled":N} a second
import net from 'node:net'
import { lengthFrame } from '../../../base/length-frames.ts'
import { systemRandom } from '../../../base/random.ts'
import { generateRendezvous } from '../../../protocol/pairing/code.ts'
import { initiate } from '../../../protocol/pairing/initiator.ts'

const [host = '127.0.0.1', port = '9202', wanted = '10000', says] = process.argv.slice(2)
const count = Number(wanted)
/** Dials under way at a time: what a listening queue holds. */
const AT_ONCE = 256
/** Until a closed one is dialled again. */
const AGAIN_MS = 1_000

let open = 0
let dialled = 0
let underWay = 0
const idle: number[] = Array.from({ length: count }, (_, i) => i)

const sourceOf = (i: number) => `127.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255 || 1}`

/** A first message with another rendezvous and session each time; its share is one element for all. */
const { hello: pattern } = initiate({ purpose: 'join', selector: '0000', code: '0000-0000', random: systemRandom })
function hello(): Uint8Array {
  const fresh = new Uint8Array(pattern)
  fresh.set(new TextEncoder().encode(generateRendezvous(systemRandom)), 3)
  fresh.set(systemRandom(16), 7)
  return lengthFrame(fresh)
}

function fill(): void {
  while (underWay < AT_ONCE && idle.length > 0) dial(idle.shift() as number)
}

function dial(i: number): void {
  dialled++
  underWay++
  let connected = false
  const socket = net.connect({ host, port: Number(port), localAddress: sourceOf(i), allowHalfOpen: false })
  socket.once('connect', () => {
    connected = true
    underWay--
    open++
    if (says === 'hello') socket.write(hello())
    fill()
  })
  socket.on('error', () => {})
  socket.once('close', () => {
    if (connected) open--
    else underWay--
    setTimeout(() => {
      idle.push(i)
      fill()
    }, AGAIN_MS)
  })
  socket.resume()
}

fill()
setInterval(() => process.stdout.write(`${JSON.stringify({ open, dialled })}\n`), 1_000)
