// The AWS SDK for JavaScript, version 3. ../probe.rs says what is in the environment.
const { readFileSync, writeFileSync } = require('node:fs');
const {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  paginateListObjectsV2,
} = require('@aws-sdk/client-s3');

const { OUT, PAGES, KEY, BIG, FIRST, LAST, SIX, LARGE, TO } = process.env;
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

async function put() {
  await s3.send(new PutObjectCommand({ Bucket: 'plain', Key: `${TO}/six.jsonl`, Body: readFileSync(SIX) }));
  return '';
}

async function multipart() {
  const object = { Bucket: 'plain', Key: `${TO}/large.jsonl` };
  const body = readFileSync(LARGE);
  const upload = { ...object, UploadId: (await s3.send(new CreateMultipartUploadCommand(object))).UploadId };
  const sent = [];
  for (let first = 0; first < body.length; first += PART) {
    const part = { ...upload, PartNumber: sent.length + 1, Body: body.subarray(first, first + PART) };
    sent.push(s3.send(new UploadPartCommand(part)).then(({ ETag }) => ({ ETag, PartNumber: part.PartNumber })));
  }
  await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: await Promise.all(sent) } }));
  return '';
}

async function main() {
  await step('version', () => require('@aws-sdk/client-s3/package.json').version);
  await step('list', pages);
  await step('get', () => get(KEY));
  await step('range', () => get(KEY, { Range: `bytes=${FIRST}-${LAST}` }));
  await step('big', big);
  await step('put 6 MiB', put);
  await step('multipart', multipart);
}

main();
