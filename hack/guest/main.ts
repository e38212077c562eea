// `npm run guest [VARIANT]`: builds the guest's images and says where they are.
import { stat } from 'node:fs/promises'
import { guestImages } from './image.ts'
import { VARIANTS } from './variants.ts'

const only = process.argv[2]
const images = await guestImages()
for (const variant of VARIANTS) {
  if (only !== undefined && only !== variant) continue
  const { file, sha256 } = images[variant]
  const { size, blocks } = await stat(file)
  const mib = (bytes: number) => `${Math.ceil(bytes / 1_048_576)} MiB`
  process.stdout.write(`${file}  sha256 ${sha256}  ${mib(size)}, ${mib(blocks * 512)} on disk\n`)
}
