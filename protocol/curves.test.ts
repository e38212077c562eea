import { describe, expect, test } from 'vitest'
import { ed25519Sign, ed25519Verify, publicKeyOf, x25519 } from './curves.ts'

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))

describe('Ed25519, RFC 8032 section 7.1', () => {
  const cases = [
    {
      name: 'TEST 1',
      secret: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      public: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      message: '',
      signature:
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    },
    {
      name: 'TEST 2',
      secret: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      public: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      message: '72',
      signature:
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    },
    {
      name: 'TEST 3',
      secret: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      public: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      message: 'af82',
      signature:
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    },
  ]
  test.each(cases)('$name', ({ secret, public: publicKey, message, signature }) => {
    expect(publicKeyOf('ed25519', hex(secret))).toEqual(hex(publicKey))
    expect(ed25519Sign(hex(message), hex(secret))).toEqual(hex(signature))
    expect(ed25519Verify(hex(message), hex(signature), hex(publicKey))).toBe(true)
    expect(ed25519Verify(hex(`${message}00`), hex(signature), hex(publicKey))).toBe(false)
  })

  test('a signature or key of a wrong length is false, not an error', () => {
    expect(ed25519Verify(new Uint8Array(), new Uint8Array(63), new Uint8Array(32))).toBe(false)
    expect(ed25519Verify(new Uint8Array(), new Uint8Array(64), new Uint8Array(31))).toBe(false)
    expect(ed25519Verify(new Uint8Array(), new Uint8Array(64), new Uint8Array(32).fill(0xff))).toBe(false)
  })
})

describe('X25519, RFC 7748', () => {
  test('the first vector of section 5.2', () => {
    const scalar = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4')
    const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')
    expect(x25519(scalar, point)).toEqual(hex('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552'))
  })

  test('the exchange of section 6.1', () => {
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
    const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb')
    const alicePublic = hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
    const bobPublic = hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742')
    expect(publicKeyOf('x25519', alice)).toEqual(alicePublic)
    expect(publicKeyOf('x25519', bob)).toEqual(bobPublic)
    expect(x25519(alice, bobPublic)).toEqual(shared)
    expect(x25519(bob, alicePublic)).toEqual(shared)
  })

  test('a point of small order is refused, as its output is known to everybody', () => {
    const secret = new Uint8Array(32).fill(7)
    const smallOrder = [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    ]
    for (const point of smallOrder) {
      expect(() => x25519(secret, hex(point))).toThrow(expect.objectContaining({ code: 'BadKey' }))
    }
  })

  test('keys of another length are refused', () => {
    const wrong = expect.objectContaining({ code: 'BadKey' })
    expect(() => x25519(new Uint8Array(31), new Uint8Array(32).fill(9))).toThrow(wrong)
    expect(() => x25519(new Uint8Array(32).fill(9), new Uint8Array(33))).toThrow(wrong)
  })
})
