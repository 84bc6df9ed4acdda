// Synthesizes a stack with an image that is built from `app`, and prints how CDK would build it.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { App, Stack } from 'aws-cdk-lib';
import { DockerImageCode, DockerImageFunction } from 'aws-cdk-lib/aws-lambda';

import { base } from './base.mjs';

const app = new App({ outdir: 'cdk.out' });
const stack = new Stack(app, 'Orders');
new DockerImageFunction(stack, 'Orders', { code: DockerImageCode.fromImageAsset('app', { ...base }) });
app.synth();

const name = readdirSync('cdk.out').find((file) => file.endsWith('.assets.json'));
const { dockerImages } = JSON.parse(readFileSync(join('cdk.out', name), 'utf8'));
console.log(JSON.stringify(Object.values(dockerImages)[0].source));
