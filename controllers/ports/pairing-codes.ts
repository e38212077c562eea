/** Where a Pairing says that its code is. */
export interface SecretRef {
  name: string
  key: string
}

/** `XXXX-XXXX`, or in words why there is none. */
export type PairingCode = { code: string } | { why: string }

/** Reads the code now. Never rejects. */
export type PairingCodes = (ref: SecretRef) => Promise<PairingCode>
