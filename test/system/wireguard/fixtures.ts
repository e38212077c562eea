// What a bundle needs beside its WireGuard part.
import type { BundleAuthority, BundlePool } from '../../../protocol/bundle/document.ts'

const key = (n: number) => Buffer.alloc(32, n).toString('base64')

export const authorityKeyFixture: Omit<BundleAuthority, 'addresses'> = {
  id: 'a'.repeat(32) as BundleAuthority['id'],
  commandPublicKey: key(1),
  signingPublicKey: key(2),
}

export const poolFixture: BundlePool = {
  reservedMiB: 512 as BundlePool['reservedMiB'],
  overcommitPercent: 100,
  balloon: { policy: 'Auto', lowWatermarkPercent: 15, highWatermarkPercent: 30, emergencyPercent: 5 },
  reservedWeight: 100,
}
