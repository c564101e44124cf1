// The AWS SDK for JavaScript, version 3. ../probe.rs says what is in the environment.
const { writeFileSync } = require('node:fs');
const { GetObjectCommand, HeadObjectCommand, S3Client, paginateListObjectsV2 } = require('@aws-sdk/client-s3');

const { OUT, PAGES, KEY, BIG, FIRST, LAST } = process.env;
const PART = 5 << 20;
const s3 = new S3Client({ forcePathStyle: true });

async function step(name, act) {
  try {
    writeFileSync(`${OUT}/${name}`, await act());
  } catch (error) {
    writeFileSync(`${OUT}/${name}.error`, `${error.stack}`);
  }
}

async function get(key, more = {}) {
  const answer = await s3.send(new GetObjectCommand({ Bucket: 'traces', Key: key, ...more }));
  return answer.Body.transformToByteArray();
}

async function pages() {
  let lines = '';
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: 'traces', Prefix: PAGES })) {
    for (const item of page.Contents) lines += `${item.Size}\t${item.Key}\n`;
  }
  return lines;
}

async function big() {
  const head = await s3.send(new HeadObjectCommand({ Bucket: 'traces', Key: BIG }));
  const parts = [];
  for (let first = 0; first < head.ContentLength; first += PART) {
    const last = Math.min(first + PART, head.ContentLength) - 1;
    parts.push(get(BIG, { Range: `bytes=${first}-${last}`, IfMatch: head.ETag }));
  }
  return Buffer.concat(await Promise.all(parts));
}

async function main() {
  await step('version', () => require('@aws-sdk/client-s3/package.json').version);
  await step('list', pages);
  await step('get', () => get(KEY));
  await step('range', () => get(KEY, { Range: `bytes=${FIRST}-${LAST}` }));
  await step('big', big);
}

main();
