/** The kernel's overflow ids: nobody's files. */
export const NOBODY = { uid: 65_534, gid: 65_534 } as const

/** A user's numbers, from the text of /etc/passwd (passwd(5)); undefined: there is none of that name. */
export function userNamed(name: string, passwd: string): { uid: number; gid: number } | undefined {
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([user]) => user === name)
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])]
  return fields && Number.isInteger(uid) && Number.isInteger(gid) ? { uid, gid } : undefined
}
