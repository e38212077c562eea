import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cluster } from '../../hack/kube/cluster.ts'
import { NAMESPACE } from './reign.ts'

/** Makes `folder` what a pod finds where this Secret of the authority's namespace is mounted. */
export async function mountSecret(cluster: Cluster, secret: string, folder: string): Promise<void> {
  const text = await cluster.kubectl(['-n', NAMESPACE, 'get', 'secret', secret, '-o', 'json'])
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { mode: 0o700 })
  for (const [name, data] of Object.entries((JSON.parse(text) as { data: Record<string, string> }).data))
    await writeFile(join(folder, name), Buffer.from(data, 'base64'), { mode: 0o600 })
}
