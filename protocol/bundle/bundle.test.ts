import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalBytes } from '../../base/canonical-json.ts'
import { authorityId, authoritySigning, operator, bundle as sample } from '../../hack/vector-inputs.ts'
import { bundleVersion2, NEWER } from '../../test/protocol/version-two.ts'
import { concat, idBytes } from '../bytes.ts'
import { toBase64 } from '../keys.ts'
import { signDomain } from '../sign.ts'
import { armorBundle, dearmorBundle } from './armor.ts'
import { contentDigest } from './digest.ts'
import type { BundleDocument } from './document.ts'
import { BUNDLE_LIMIT, encodeSignedBundle, openSignedBundle, sealBundle } from './seal.ts'
import { newestVersion, versionFor } from './versions.ts'

const authority = { id: authorityId, signingSecret: authoritySigning.secretKey }
const trusted = [{ authorityId, signingPublicKey: authoritySigning.publicKey }]
const encoded = (document: BundleDocument = sample) => encodeSignedBundle(sealBundle(document, authority))

/** Signs whatever bytes, as an authority gone wrong would. */
function forged(json: Uint8Array, version = 1): Uint8Array {
  return concat(
    Uint8Array.of(version),
    idBytes(authorityId),
    signDomain('ppn-bundle/1', json, authority.signingSecret),
    json,
  )
}

test('a bundle is opened as it was sealed', () => {
  const sealed = sealBundle(sample, authority)
  expect(openSignedBundle(encodeSignedBundle(sealed), trusted)).toEqual({ ok: true, bundle: sealed })
  expect(sealed).toMatchObject({ document: sample, version: 1, authorityId, digest: contentDigest(sample.content) })
})

test('a key given in base64, as bundles carry it, is as good', () => {
  const inBase64 = [{ authorityId, signingPublicKey: toBase64(authoritySigning.publicKey) }]
  expect(openSignedBundle(encoded(), inBase64).ok).toBe(true)
})

test('during a key change either of two keys opens it', () => {
  const both = [{ authorityId, signingPublicKey: operator.publicKey }, ...trusted]
  expect(openSignedBundle(encoded(), both).ok).toBe(true)
})

test('any changed byte is refused', () => {
  const good = encoded()
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
      const changed = new Uint8Array(good)
      changed[at] = (changed[at] as number) ^ difference
      expect(openSignedBundle(changed, trusted).ok).toBe(false)
    }),
  )
})

test('arbitrary bytes are refused, never an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(openSignedBundle(bytes, trusted).ok).toBe(false)
    }),
  )
})

describe('refused with its reason', () => {
  const reasonOf = (bytes: Uint8Array, by = trusted) => openSignedBundle(bytes, by)
  const refused = (reason: string) => ({ ok: false, reason })

  test('another authority, another key, or nobody trusted', () => {
    expect(reasonOf(encoded(), [])).toEqual(refused('BundleUnsigned'))
    expect(reasonOf(encoded(), [{ authorityId, signingPublicKey: operator.publicKey }])).toEqual(
      refused('BundleUnsigned'),
    )
    expect(
      reasonOf(encoded(), [{ authorityId: 'f'.repeat(32), signingPublicKey: authoritySigning.publicKey }]),
    ).toEqual(refused('BundleUnsigned'))
  })

  test('over 1 MiB', () => {
    expect(reasonOf(new Uint8Array(BUNDLE_LIMIT + 1))).toEqual(refused('BundleTooLong'))
  })

  test('cut short', () => {
    for (const length of [0, 1, 80, 81]) {
      expect(reasonOf(encoded().subarray(0, length))).toEqual(refused('BundleMalformed'))
    }
  })

  test('a version we do not read, though signed', () => {
    expect(reasonOf(forged(canonicalBytes({ ...sample, version: 9 }), 9))).toEqual(refused('BundleVersion'))
  })

  test.each<[string, (json: object) => Uint8Array]>([
    ['a field too many', (json) => canonicalBytes({ ...json, colour: 'red' })],
    ['a field named __proto__', (json) => new TextEncoder().encode(`{"__proto__":1,${JSON.stringify(json).slice(1)}`)],
    ['another byte form', (json) => new TextEncoder().encode(JSON.stringify(json, null, 1))],
    ['no JSON', () => Uint8Array.of(0x7b)],
    ['another version inside than in front', (json) => canonicalBytes({ ...json, version: 2 })],
  ])('%s, though signed', (_, bytes) => {
    expect(reasonOf(forged(bytes(sample)))).toEqual(refused('BundleMalformed'))
  })

  test('a field too many deep inside, though signed', () => {
    const peers = sample.content.peers.map((peer) => ({ ...peer, presharedKey: 'x' }))
    const json = canonicalBytes({ ...sample, content: { ...sample.content, peers } })
    expect(reasonOf(forged(json))).toEqual(refused('BundleMalformed'))
  })

  test('a good document signed for another purpose', () => {
    const json = canonicalBytes(sample)
    const signature = signDomain('ppn-registry/1', json, authority.signingSecret)
    const bytes = concat(Uint8Array.of(1), idBytes(authorityId), signature, json)
    expect(reasonOf(bytes)).toEqual(refused('BundleUnsigned'))
  })
})

describe('never sealed', () => {
  test('what no agent would read', () => {
    const bad = { ...sample, content: { ...sample.content, attempt: -1 } }
    expect(() => sealBundle(bad, authority)).toThrow(expect.objectContaining({ code: 'BundleInvalid' }))
  })

  test('more than 1 MiB', () => {
    const [archive] = sample.content.archives
    const archives = Array.from({ length: 255 }, (_, i) => ({
      ...(archive as NonNullable<typeof archive>),
      slot: i + 1,
      image: { ...(archive as NonNullable<typeof archive>).image, source: '\u0001'.repeat(2000) },
    }))
    expect(() => sealBundle({ ...sample, content: { ...sample.content, archives } }, authority)).toThrow(
      expect.objectContaining({ code: 'BundleTooLong' }),
    )
  })
})

test('term, revision, switch and registry head are outside the digest; any part of the content is inside', () => {
  const { digest } = sealBundle(sample, authority)
  const outside = {
    term: 9,
    revision: 9,
    switch: 'onReceipt',
    registryHead: { count: 0, hash: '0'.repeat(64) },
  } as const
  expect(sealBundle({ ...sample, ...outside }, authority).digest).toBe(digest)
  for (const change of [{ attempt: 1 }, { peers: [] }, { minSequence: { term: 1, sequence: 1 } }]) {
    expect(contentDigest({ ...sample.content, ...change })).not.toBe(digest)
  }
})

test('a field that is undefined is as good as absent', () => {
  const content = { ...sample.content, minSequence: undefined }
  expect(contentDigest(content)).toBe(contentDigest(sample.content))
  expect(sealBundle({ ...sample, content }, authority).bytes).toEqual(sealBundle(sample, authority).bytes)
})

describe('one version apart', () => {
  const newer = NEWER.bundle

  test('a newer authority writes what an older agent reads, and both compare the same digest', () => {
    const version = versionFor([1], newer)
    const sealed = sealBundle(sample, authority, { version, versions: newer })
    const opened = openSignedBundle(encodeSignedBundle(sealed), trusted)
    expect(opened).toMatchObject({ ok: true, bundle: { document: sample, digest: sealed.digest } })
    expect(sealed.digest).toBe(sealBundle(sample, authority).digest)
  })

  test('a newer agent reads what an older authority writes', () => {
    const sealed = sealBundle(sample, authority, { version: versionFor([1, 2]) })
    expect(openSignedBundle(encodeSignedBundle(sealed), trusted, newer)).toEqual({ ok: true, bundle: sealed })
  })

  test('two of the newer version use it', () => {
    expect(versionFor([1, 2], newer)).toBe(2)
    expect(newestVersion(newer)).toBe(2)
    const sealed = sealBundle(sample, authority, { versions: newer })
    const opened = openSignedBundle(encodeSignedBundle(sealed), trusted, newer)
    expect(opened).toMatchObject({ ok: true, bundle: { document: sample, version: 2, digest: sealed.digest } })
  })

  test('an older agent refuses the newer version as a whole', () => {
    const bytes = encodeSignedBundle(sealBundle(sample, authority, { versions: newer }))
    expect(openSignedBundle(bytes, trusted)).toEqual({ ok: false, reason: 'BundleVersion' })
  })

  test('the version in front, which is not signed, must be the one that is', () => {
    const wire = { ...bundleVersion2.write(sample), version: 3 }
    expect(openSignedBundle(forged(canonicalBytes(wire), 2), trusted, newer)).toEqual({
      ok: false,
      reason: 'BundleMalformed',
    })
  })

  test('without a version in common there is none to write', () => {
    expect(versionFor([3], newer)).toBeUndefined()
    expect(versionFor([])).toBeUndefined()
    expect(() => sealBundle(sample, authority, { version: 3 })).toThrow(
      expect.objectContaining({ code: 'BundleVersionUnknown' }),
    )
  })
})

describe('armor', () => {
  test('goes both ways, in lines of at most 64', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), (bytes) => {
        const text = armorBundle(bytes)
        expect(dearmorBundle(text)).toEqual(bytes)
        expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(64)
      }),
    )
  })

  test('survives what mail and terminals do to it', () => {
    const text = armorBundle(encoded())
    const quoted = `Hello,\r\nhere it is:\r\n\r\n${text.replaceAll('\n', '\r\n  ')}\r\nBye`
    expect(dearmorBundle(quoted)).toEqual(encoded())
  })

  test.each<[string, (text: string) => string]>([
    ['no BEGIN', (text) => text.replace('BEGIN', 'START')],
    ['no END', (text) => text.slice(0, -10)],
    ['two of them', (text) => text.split('-----END')[0] + text],
    ['a strange character', (text) => text.replace('AQ', 'A*')],
    ['a character lost', (text) => text.replace('AQ', 'A')],
    ['nothing inside', () => '-----BEGIN PPN BUNDLE-----\n-----END PPN BUNDLE-----\n'],
  ])('refuses %s', (_, spoil) => {
    expect(() => dearmorBundle(spoil(armorBundle(Uint8Array.of(1, 2, 3, 4))))).toThrow(
      expect.objectContaining({ code: 'BadArmor' }),
    )
  })
})
