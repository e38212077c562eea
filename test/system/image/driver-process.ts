// A process of its own for the image driver, so that it can be killed, or live on a small file system: makes the disk
// that its argument describes, or says why not.
import { fileImages } from '../../../agent/drivers/image/files.ts'
import { ImageFailure, type ImageSpec } from '../../../agent/drivers/image/port.ts'
import { systemClock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'

interface Order {
  folder: string
  allowedFolder: string
  id: string
  image: ImageSpec
  /** Pretend that there is room: only the kernel's own refusal counts. */
  blind: boolean
}

const order = JSON.parse(process.argv[2] as string) as Order
const images = fileImages({
  folder: order.folder,
  allowedFolders: [order.allowedFolder],
  allowedHosts: [],
  clock: systemClock(),
  log: silentLogger(),
  ...(order.blind && { room: async () => Number.MAX_SAFE_INTEGER }),
})
let outcome: string
try {
  await images.create(order.id, order.image, new AbortController().signal)
  outcome = 'made'
} catch (error) {
  outcome = error instanceof ImageFailure ? error.code : String(error)
}
const listed = (await images.list()).map(({ id }) => id)
process.stdout.write(`${JSON.stringify({ outcome, listed })}\n`)
