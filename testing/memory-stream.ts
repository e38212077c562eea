// Two ends of a TCP connection in memory, with the half-open manners of net.Socket under allowHalfOpen.
import { Duplex } from 'node:stream'

/** Carries one side's bytes, end and reset to the other, in order; the network decides when. */
export interface Wire {
  /** Runs `arrive` at the other side, after everything carried before it. */
  carry(bytes: Uint8Array | undefined, arrive: () => void): void
}

/** Bytes under way at which a writer has to wait, as a kernel's buffers make it. */
const WINDOW_BYTES = 256 * 1024

function reset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
}

/** One end. `wire` carries what it says to `peer()`. */
class End extends Duplex {
  readonly #wire: Wire
  #peer: End | undefined
  #inFlight = 0
  #waiting: (() => void) | undefined
  /** The reader has enough; it calls _read when it wants more. */
  #full = false
  #finSent = false
  /** Closed here: what still comes is answered by a reset. */
  #gone = false
  #finCame = false
  #resetCame = false

  constructor(wire: Wire) {
    super({ allowHalfOpen: true })
    this.#wire = wire
    // A reset peer must not end the process: `close` follows every error.
    this.on('error', () => {})
  }

  join(peer: End): void {
    this.#peer = peer
  }

  override _read(): void {
    this.#full = false
    this.#peer?.relieve()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const peer = this.#peer as End
    if (this.#resetCame) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      return
    }
    const bytes = new Uint8Array(chunk)
    this.#inFlight += bytes.length
    this.#wire.carry(bytes, () => peer.arrive(bytes))
    this.#waiting = done
    this.relieve()
  }

  override _final(done: (error?: Error) => void): void {
    this.#sendEnd()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const peer = this.#peer as End
    // close(2): data never read turns the orderly end into a reset.
    const unread = this.readableLength > 0
    this.#gone = true
    if (unread) this.#wire.carry(undefined, () => peer.hangUp())
    else this.#sendEnd()
    done(error)
  }

  /** Bytes of the other end come in. */
  arrive(bytes: Uint8Array): void {
    const peer = this.#peer as End
    peer.#inFlight -= bytes.length
    if (this.#gone) {
      this.#wire.carry(undefined, () => peer.hangUp())
      return
    }
    // Buffers, as a socket gives them.
    this.#full = !this.push(Buffer.from(bytes))
    peer.relieve()
  }

  /** Lets a writer that waited for room go on. */
  relieve(): void {
    if (this.#inFlight >= WINDOW_BYTES || (this.#peer as End).#full) return
    const go = this.#waiting
    this.#waiting = undefined
    go?.()
  }

  /** A reset comes in. Who has read to the end no longer listens, and learns of it when he writes next. */
  hangUp(): void {
    if (this.#finCame) this.#resetCame = true
    else this.break()
  }

  /** The process at this end is gone. */
  break(): void {
    this.#gone = true
    this.#finSent = true
    this.destroy(reset())
  }

  #sendEnd(): void {
    if (this.#finSent) return
    this.#finSent = true
    const peer = this.#peer as End
    this.#wire.carry(undefined, () => {
      peer.#finCame = true
      if (!peer.#gone) peer.push(null)
    })
  }
}

export interface StreamEnd extends Duplex {
  /** Errors with ECONNRESET and closes; the other end is told nothing. */
  break(): void
  /** What the other end's reset does here: `break`, or EPIPE at the next write when this end has had its end already. */
  hangUp(): void
}

/** A connected pair: what `a` writes goes over `aToB`, what `b` writes over `bToA`. */
export function streamPair(aToB: Wire, bToA: Wire): { a: StreamEnd; b: StreamEnd } {
  const a = new End(aToB)
  const b = new End(bToA)
  a.join(b)
  b.join(a)
  return { a, b }
}
